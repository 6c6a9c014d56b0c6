"""A mask as COCO's polygons: outlines along pixel borders, cut so that no part has a hole."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bits = NDArray[np.bool_]
Corner = tuple[int, int]

# From the corner that a step ends at: to the left as seen in walking direction, on, to the right.
_TURNS = {
    (0, 1): ((-1, 0), (0, 1), (1, 0)),
    (1, 0): ((0, 1), (1, 0), (0, -1)),
    (0, -1): ((1, 0), (0, -1), (-1, 0)),
    (-1, 0): ((0, -1), (-1, 0), (0, 1)),
}


def polygons(mask: Bits) -> list[list[float]]:
    """Disjoint polygons ``[x1, y1, x2, y2, ...]`` that together cover a mask bool ``h w``."""
    found: list[list[float]] = []
    labels, count = ndimage.label(mask)
    for number in range(1, count + 1):
        part = labels == number
        hole = _hole_row(part)
        if hole is None:
            found.append(_outline(part))
        else:
            above, below = part.copy(), part.copy()
            above[hole:], below[:hole] = False, False
            found += polygons(above) + polygons(below)
    return found


def _hole_row(part: Bits) -> int | None:
    """A row in the middle of the first hole, counted from the top; None if there is no hole."""
    holes = ndimage.binary_fill_holes(part) & ~part
    if not holes.any():
        return None
    rows = np.flatnonzero((ndimage.label(holes)[0] == 1).any(axis=1))
    return int(rows[len(rows) // 2])


def _outline(part: Bits) -> list[float]:
    """The corners of one part without holes, clockwise from its first pixel."""
    row = int(np.flatnonzero(part.any(axis=1))[0])
    start: Corner = (row, int(np.flatnonzero(part[row])[0]))
    padded = np.pad(part, 1)
    corner, step = start, (0, 1)
    corners: list[Corner] = [start]
    while True:
        corner = (corner[0] + step[0], corner[1] + step[1])
        if corner == start:
            return [float(value) for y, x in corners for value in (x, y)]
        turned = _next_step(padded, corner, step)
        if turned != step:
            corners.append(corner)
        step = turned


def _next_step(padded: Bits, corner: Corner, step: Corner) -> Corner:
    """Along the border with the part on the right; parts that meet in a corner stay apart."""
    left, on, right = _TURNS[step]
    ahead_left = _pixel(padded, corner, step, left)
    ahead_right = _pixel(padded, corner, step, right)
    if not ahead_right:
        return right
    return left if ahead_left else on


def _pixel(padded: Bits, corner: Corner, step: Corner, side: Corner) -> bool:
    """Whether the pixel ahead of a corner and to one side belongs to the part."""
    y = corner[0] + min(step[0] + side[0], 0)
    x = corner[1] + min(step[1] + side[1], 0)
    return bool(padded[y + 1, x + 1])
