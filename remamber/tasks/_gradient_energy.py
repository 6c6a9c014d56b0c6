"""Where the gradient of a model's middle feature lies in the image: sums over rings and sides."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
REGIONS = ("outside", "far") + ("above", "left", "across", "band", "band_even") + ("down", "right")
"""Energy outside the middle block, and far from it, beyond the margin around it. Of the far energy:
above the middle, left of it, nearer the horizontal than the vertical axis, in the block's own rows
or columns, and what those would have if the energy at each distance lay evenly around the middle.
Last the energy's mean place, pixels down and right of the middle."""


class EnergySums(NamedTuple):
    """What is kept of the energy maps of some images, each map's total being 1.

    Attributes:
        rings: energy by whole pixels of distance from the middle, (images, rings).
        regions: energy in ``REGIONS``, (images, regions).
        maps: block sums, (images, cells, cells).
    """

    rings: Floats
    regions: Floats
    maps: Floats


class Geometry:
    """The rings and regions of a square image around its middle.

    Args:
        side: pixels.
        block: side of the middle block, the cells of the feature in question; pixels.
        margin: what the convolutions of a block see around it, pixels; the far begins behind it.
        cells: side of the kept maps; divides ``side``.
    """

    def __init__(self, side: int, *, block: int, margin: int, cells: int) -> None:
        self._cells = cells
        away = np.arange(side) + 0.5 - side / 2
        down, right = np.meshgrid(away, away, indexing="ij")
        self._ring = np.floor(np.hypot(down, right)).astype(np.int64).ravel()
        self._rings = int(self._ring.max()) + 1
        in_rows, in_columns = abs(down) < block / 2, abs(right) < block / 2
        near = block / 2 + margin
        self._far = ((abs(down) >= near) | (abs(right) >= near)).astype(np.float64).ravel()
        across = np.where(abs(right) == abs(down), 0.5, abs(right) > abs(down))
        sides = [down < 0, right < 0, across, in_rows | in_columns]
        far_sides = [self._far * side_of.ravel() for side_of in sides]
        outside = ~(in_rows & in_columns)
        self._weights = np.stack([outside.ravel().astype(np.float64), self._far, *far_sides])
        self._offsets = np.stack([down.ravel(), right.ravel()])
        count = self._by_ring(self._far[None])[0]
        in_band = self._by_ring(self._weights[-1][None])[0]
        self._even = np.divide(in_band, count, out=np.zeros_like(count), where=count > 0)

    def sums(self, energy: NDArray[np.floating]) -> EnergySums:
        """The sums of energy maps.

        Args:
            energy: (images, side, side), not negative; scaled to a total of 1 here. A map of
                nothing stays so.
        """
        flat = energy.reshape(len(energy), -1).astype(np.float64)
        total = flat.sum(axis=1, keepdims=True)
        flat = np.divide(flat, total, out=np.zeros_like(flat), where=total > 0)
        even = self._by_ring(flat * self._far) @ self._even
        step = energy.shape[1] // self._cells
        maps = flat.reshape(len(flat), self._cells, step, self._cells, step).sum(axis=(2, 4))
        parts = [flat @ self._weights.T, even[:, None], flat @ self._offsets.T]
        regions = np.concatenate(parts, axis=1)
        return EnergySums(self._by_ring(flat), regions, maps)

    def _by_ring(self, flat: Floats) -> Floats:
        rows = [np.bincount(self._ring, weights=row, minlength=self._rings) for row in flat]
        return np.stack(rows)
