"""One scan to be timed: its random arguments, as an image and laid out as sequences.

Both forms hold the same numbers, so that one float64 result serves the scan of sequences and the
fused scan of the image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor

from remamber.plan.scan_shapes import ScanShape

Arguments: TypeAlias = Mapping[str, Tensor]
"""Tensors by the scan's argument names: u, delta, A, B, C, D, delta_bias."""
_COLUMNS, _BACKWARD = 1, 2


@dataclass(frozen=True)
class Problem:
    """The arguments of a scan of this shape and the gradient of its output, drawn from a seed.

    Args:
        shape: the image and its directions.
        device: where the tensors are.
        seed: of the random numbers.
    """

    shape: ScanShape
    device: torch.device
    seed: int = 0

    @cached_property
    def image(self) -> Arguments:
        """Channels-last: u (b, h, w, d), delta (b, k, h, w, d), B and C (b, k, h, w, n).

        Strides are the model's: delta comes from a batched product over directions, B and C are
        slices of a projection.
        """
        s, k = self.shape, self.shape.groups
        generator = torch.Generator().manual_seed(self.seed)

        def normal(*sizes: int) -> Tensor:
            return torch.randn(*sizes, generator=generator).to(self.device)

        projected = normal(s.b, s.h, s.w, k, 2 * s.n).permute(0, 3, 1, 2, 4)
        return {
            "u": normal(s.b, s.h, s.w, s.d),
            "delta": normal(k, s.b, s.h, s.w, s.d).transpose(0, 1),
            "A": -normal(s.channels, s.n).abs() - 0.1,
            "B": projected[..., : s.n],
            "C": projected[..., s.n :],
            "D": normal(s.channels),
            "delta_bias": normal(s.channels) - 1,
        }

    @cached_property
    def image_dy(self) -> Tensor:
        """Gradient of the image's output, (b, h, w, d)."""
        s = self.shape
        generator = torch.Generator().manual_seed(self.seed + 1)
        return torch.randn(s.b, s.h, s.w, s.d, generator=generator).to(self.device)

    @cached_property
    def sequences(self) -> Arguments:
        """Laid out: u and delta (b, k d, l), B and C (b, k, n, l)."""
        given, k = self.image, self.shape.groups
        u = given["u"].unsqueeze(1).expand(-1, k, -1, -1, -1)
        return {
            **given,
            "u": self.lay_out(u).flatten(1, 2),
            "delta": self.lay_out(given["delta"]).flatten(1, 2),
            "B": self.lay_out(given["B"]),
            "C": self.lay_out(given["C"]),
        }

    @cached_property
    def sequences_dy(self) -> Tensor:
        """Gradient of the sequences' output, (b, k d, l): that of the image, laid out."""
        dy = self.image_dy.unsqueeze(1).expand(-1, self.shape.groups, -1, -1, -1)
        return self.lay_out(dy).flatten(1, 2)

    def lay_out(self, images: Tensor) -> Tensor:
        """(b, k, h, w, c) along each direction: (b, k, c, l)."""
        steps = images.flatten(2, 3)
        each = [steps[:, i, order].mT for i, order in enumerate(self._orders)]
        return torch.stack(each, 1)

    def put_back(self, sequences: Tensor) -> Tensor:
        """(b, k, c, l) at its places in the image: (b, k, h, w, c)."""
        images = torch.empty_like(sequences.mT)
        for i, order in enumerate(self._orders):
            images[:, i, order] = sequences[:, i].mT
        return images.reshape(*images.shape[:2], self.shape.h, self.shape.w, -1)

    @cached_property
    def _orders(self) -> list[Tensor]:
        s = self.shape
        places = torch.arange(s.length, device=self.device)
        found = []
        for direction in s.directions:
            order = places.view(s.h, s.w).mT.reshape(-1) if direction & _COLUMNS else places
            found.append(order.flip(0) if direction & _BACKWARD else order)
        return found
