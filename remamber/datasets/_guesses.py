"""Guesses at a target that use no model: a mean mask, and what a coarse map can hold at best."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remamber.datasets import Mask, Referent, ReferringDataset

MEAN_SIDE = 64
"""Height and width of a mean mask."""

Share = NDArray[np.float64]


def mean_mask(dataset: ReferringDataset, refs: Sequence[Referent]) -> Share:
    """Share of the refs' expressions with foreground at a place, scaled so that its top is 1."""
    total = np.zeros((MEAN_SIDE, MEAN_SIDE))
    for ref in refs:
        total += len(ref.expressions) * stretched(dataset.mask(ref), total.shape)
    return scaled(total)


def scaled(total: Share) -> Share:
    """The same with a top of 1; all zero if it has none."""
    peak = total.max()
    return total / peak if peak else total


def stretched(mask: Share | Mask, shape: tuple[int, ...]) -> Share:
    """Nearest neighbour to another size."""
    rows = np.arange(shape[0]) * mask.shape[0] // shape[0]
    columns = np.arange(shape[1]) * mask.shape[1] // shape[1]
    found: Share = mask[np.ix_(rows, columns)].astype(np.float64)
    return found


def coarse(target: Mask, cells: int) -> Mask:
    """The target as a cells x cells map of block means, interpolated back and thresholded."""
    rows = np.minimum(np.arange(target.shape[0]) * cells // target.shape[0], cells - 1)
    columns = np.minimum(np.arange(target.shape[1]) * cells // target.shape[1], cells - 1)
    index = (rows[:, None] * cells + columns[None, :]).ravel()
    size = np.bincount(index, minlength=cells * cells)
    share = np.bincount(index, weights=target.ravel(), minlength=cells * cells)
    means = (share / np.maximum(size, 1)).reshape(cells, cells).astype(np.float32)
    height, width = target.shape
    smooth = Image.fromarray(means).resize((width, height), Image.Resampling.BILINEAR)
    found: Mask = np.asarray(smooth) > 0.5
    return found
