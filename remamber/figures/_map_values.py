"""How the values of maps are drawn: how fine, and on which scale of colours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from remamber.figures import MapRow

_BYTES, _OF_MAP, _OF_VALUE = 1_150_000, 420, 8 / 3
"""What the maps of a figure may weigh on the page, and what a map and a value of it weigh."""
_SIDES = (32, 24, 16, 12, 8)
_BRIGHTEST = 0.02
"""Share of the maps' area that may be beyond the end of the colour scale."""


def finest_side(rows: Sequence[MapRow]) -> int:
    """How fine a map is drawn: as fine as the page bears with all of them."""
    maps = [(len(t.density), t.density.shape[1:]) for row in rows for t in row.tiles]
    for side in _SIDES:
        values = sum(words * min(h, side) * min(w, side) for words, (h, w) in maps)
        if _OF_VALUE * values + _OF_MAP * sum(words for words, _ in maps) <= _BYTES:
            return side
    return _SIDES[-1]


def coarser(density: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Mean over blocks of cells until no side is longer than asked; blocks at an edge may be less.

    Only what is drawn: the numbers are those of the whole map.
    """
    factor = -(-max(density.shape) // side)
    if factor == 1:
        return density
    starts = [np.arange(0, n, factor) for n in density.shape]
    sums = np.add.reduceat(np.add.reduceat(density, starts[0], axis=0), starts[1], axis=1)
    counts = [np.diff([*start, n]) for start, n in zip(starts, density.shape, strict=True)]
    found: NDArray[np.float64] = sums / np.outer(*counts)
    return found


def end_of_scale(row: MapRow) -> float:
    """What all but the densest 2 % of the maps' area stay below: one cell must not dim the rest."""
    values = np.concatenate([tile.density[0].ravel() for tile in row.tiles])
    areas = np.concatenate([np.full(t.density[0].size, 1 / t.density[0].size) for t in row.tiles])
    order = np.argsort(values)
    below = np.cumsum(areas[order]) / areas.sum()
    return max(1.5, float(values[order][np.searchsorted(below, 1 - _BRIGHTEST)]))
