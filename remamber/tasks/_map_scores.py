"""How well a map finds the target: energy inside it, the pointing game, and its rank.

All compare a map with the share of each of its cells that the target covers, which is what
spreading the map over the image's pixels without smoothing comes to. A map that is the same
everywhere scores exactly chance: the target's share of the image, or one half for the rank.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets import Mask

Floats = NDArray[np.float64]

FLAT = 1e-6
"""A map whose values differ by less than this, relative to the largest, is the same everywhere."""


class MapScores(NamedTuple):
    """Of each of ``n`` maps.

    Attributes:
        energy: share of the map that lies inside the target, its smallest value taken as zero.
        pointing: the target's share of the cell with the largest value: how likely it is that a
            pixel picked there is the target's. Mean over the cells where several are largest.
        rank: how likely it is that a pixel of the target has a larger value than another, a tie
            counted half; NaN where the target is all of the image or none of it.
        best: the largest share of a cell: what energy and pointing could reach on this grid.
    """

    energy: Floats
    pointing: Floats
    rank: Floats
    best: Floats


def cell_shares(target: Mask, grid: tuple[int, int]) -> Floats:
    """The share of each cell's area that the target covers.

    Args:
        target: bool ``h w`` at any size; cells need not end where its pixels do.
        grid: rows and columns of the cells.

    Returns:
        ``rows columns``; their mean is the target's share of the image.
    """
    down, across = (_overlaps(n, cells) for n, cells in zip(target.shape, grid, strict=True))
    shares: Floats = down @ target.astype(np.float64) @ across.T
    return shares


def _overlaps(pixels: int, cells: int) -> Floats:
    """Of each cell, the share of its length that each pixel takes: (cells, pixels)."""
    edges = np.arange(cells + 1) * (pixels / cells)
    left, right = np.arange(pixels), np.arange(1, pixels + 1)
    overlap = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
    shares: Floats = np.clip(overlap, 0.0, None) * (cells / pixels)
    return shares


def scored(maps: Floats, shares: Floats) -> MapScores:
    """Score maps against targets.

    Args:
        maps: ``n h w``, of any sign and scale.
        shares: of ``cell_shares``, one for each map.
    """
    values, inside = maps.reshape(len(maps), -1), shares.reshape(len(shares), -1)
    raised = _raised(values)
    largest = raised == raised.max(axis=1, keepdims=True)
    return MapScores(
        energy=energy_inside(maps, shares),
        pointing=(largest * inside).sum(axis=1) / largest.sum(axis=1),
        rank=np.array([_rank(v, s) for v, s in zip(raised, inside, strict=True)]),
        best=inside.max(axis=1),
    )


def energy_inside(maps: Floats, shares: Floats) -> Floats:
    """The share of each map that lies inside its target, as in ``MapScores``."""
    raised = _raised(maps.reshape(len(maps), -1))
    energy: Floats = (raised * shares.reshape(raised.shape)).sum(axis=1) / raised.sum(axis=1)
    return energy


def densities(maps: Floats) -> Floats:
    """Maps as they are scored: the smallest value at zero, the mean at one; ones if flat.

    Args:
        maps: ``n h w``.
    """
    raised = _raised(maps.reshape(len(maps), -1))
    found: Floats = (raised / raised.mean(axis=1, keepdims=True)).reshape(maps.shape)
    return found


def _raised(values: Floats) -> Floats:
    """Values less the smallest of their map; ones where the map is flat."""
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    is_flat = high - low <= FLAT * np.maximum(np.abs(low), np.abs(high))
    raised: Floats = np.where(is_flat, 1.0, values - low)
    return raised


def _rank(values: Floats, inside: Floats) -> float:
    outside = 1.0 - inside
    pairs = inside.sum() * outside.sum()
    if pairs <= 0:
        return float("nan")
    _, place = np.unique(values, return_inverse=True)
    own, other = np.bincount(place, inside), np.bincount(place, outside)
    below = np.cumsum(other) - other
    return float(own @ (below + other / 2) / pairs)
