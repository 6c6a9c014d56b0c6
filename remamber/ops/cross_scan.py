"""Cross scan and cross merge: an image as four sequences, and four sequences as an image.

SS2D of VMamba (Liu et al. 2024, CSM) in its order of directions: row by row, column by column,
and the reverses of both. The channel scan of ReMamber (Sec. 3.5, the release's
``scan2``/``merge2``) uses row-major order only: forward twice, backward twice.
"""

from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

DIRECTIONS = 4
Context: TypeAlias = Any
"""What torch hands an autograd function to remember things on."""


def cross_scan(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 4 d l"]:
    """Lay an image out along the four directions, l = h * w.

    Its adjoint is ``cross_merge``, and with it the gradient.
    """
    laid_out: Tensor = _CrossScan.apply(x)  # type: ignore[no-untyped-call]
    return laid_out


def cross_merge(y: Float[Tensor, "b 4 d l"], h: int, w: int) -> Float[Tensor, "b d h w"]:
    """Put four sequences back in the image's order and sum them; the adjoint of the scan."""
    image: Tensor = _CrossMerge.apply(y, h, w)  # type: ignore[no-untyped-call]
    return image


def two_way_scan(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 4 d l"]:
    """Row-major order forward, forward, backward, backward; autograd follows the copies."""
    rows = x.flatten(2)
    back = rows.flip(-1)
    return torch.stack([rows, rows, back, back], dim=1)


def two_way_merge(y: Float[Tensor, "b 4 d l"], h: int, w: int) -> Float[Tensor, "b d h w"]:
    """Sum of the two forward sequences and the two reversed ones, as an image."""
    ahead = y[:, 0] + y[:, 1]
    return (ahead + (y[:, 2] + y[:, 3]).flip(-1)).reshape(y.shape[0], y.shape[2], h, w)


def _scan(x: Tensor) -> Tensor:
    b, d, h, w = x.shape
    out = x.new_empty(b, DIRECTIONS, d, h * w)
    out[:, 0].view(b, d, h, w).copy_(x)
    out[:, 1].view(b, d, w, h).copy_(x.transpose(2, 3))
    out[:, 2:].copy_(out[:, :2].flip(-1))
    return out


def _merge(y: Tensor, h: int, w: int) -> Tensor:
    both = y[:, :2] + y[:, 2:].flip(-1)
    b, _, d, _ = y.shape
    columns = both[:, 1].reshape(b, d, w, h).transpose(2, 3)
    return both[:, 0].reshape(b, d, h, w) + columns


class _CrossScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        ctx.shape = x.shape[2:]
        return _scan(x)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> Tensor:
        return cross_merge(grads[0], *ctx.shape)


class _CrossMerge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, y: Tensor, h: int, w: int) -> Tensor:
        ctx.shape = (h, w)
        return _merge(y, h, w)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None, None]:
        return cross_scan(grads[0]), None, None
