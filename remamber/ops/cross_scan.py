"""Cross scan and cross merge: an image as four sequences, and four sequences as an image.

SS2D of VMamba (Liu et al. 2024, CSM) in its order of directions: row by row, column by column,
and the reverses of both. The channel scan of ReMamber (Sec. 3.5, the release's
``scan2``/``merge2``) uses row-major order only: forward twice, backward twice.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

DIRECTIONS = 4
Context: TypeAlias = Any
"""What torch hands an autograd function to remember things on."""


class Layout(NamedTuple):
    """An order of reading an image: the scan and the merge, each the other's adjoint."""

    scan: Callable[[Tensor], Tensor]
    merge: Callable[[Tensor, int, int], Tensor]


def cross_scan(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 4 d l"]:
    """Lay an image out along the four directions, l = h * w.

    Its adjoint is ``cross_merge``, and with it the gradient.
    """
    return _scanned(x, _FOUR_WAYS)


def cross_scan_each(x: Float[Tensor, "b 4 d h w"]) -> Float[Tensor, "b 4 d l"]:
    """Lay four images out, each along its own one of the four directions."""
    rows, columns, rows_back, columns_back = x.unbind(1)
    upright = torch.stack([rows.flatten(2), columns.transpose(2, 3).flatten(2)], dim=1)
    reverse = [rows_back.flatten(2), columns_back.transpose(2, 3).flatten(2)]
    return torch.cat([upright, torch.stack(reverse, dim=1).flip(-1)], dim=1)


def cross_merge(y: Float[Tensor, "b 4 d l"], h: int, w: int) -> Float[Tensor, "b d h w"]:
    """Put four sequences back in the image's order and sum them; the adjoint of the scan."""
    return _merged(y, h, w, _FOUR_WAYS)


def two_way_scan(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 4 d l"]:
    """Row-major order forward, forward, backward, backward."""
    return _scanned(x, _TWO_WAYS)


def two_way_scan_each(x: Float[Tensor, "b 4 d h w"]) -> Float[Tensor, "b 4 d l"]:
    """Lay four images out in row-major order, the last two backward."""
    ahead, back = x.flatten(3).chunk(2, dim=1)
    return torch.cat([ahead, back.flip(-1)], dim=1)


def two_way_merge(y: Float[Tensor, "b 4 d l"], h: int, w: int) -> Float[Tensor, "b d h w"]:
    """Sum of the two forward sequences and the two reversed ones, as an image."""
    return _merged(y, h, w, _TWO_WAYS)


def _scanned(x: Tensor, layout: Layout) -> Tensor:
    laid_out: Tensor = _Scan.apply(x, layout)  # type: ignore[no-untyped-call]
    return laid_out


def _merged(y: Tensor, h: int, w: int, layout: Layout) -> Tensor:
    image: Tensor = _Merge.apply(y, h, w, layout)  # type: ignore[no-untyped-call]
    return image


def _scan_four(x: Tensor) -> Tensor:
    b, d, h, w = x.shape
    out = x.new_empty(b, DIRECTIONS, d, h * w)
    out[:, 0].view(b, d, h, w).copy_(x)
    out[:, 1].view(b, d, w, h).copy_(x.transpose(2, 3))
    out[:, 2:].copy_(out[:, :2].flip(-1))
    return out


def _merge_four(y: Tensor, h: int, w: int) -> Tensor:
    both = y[:, :2] + y[:, 2:].flip(-1)
    b, _, d, _ = y.shape
    columns = both[:, 1].reshape(b, d, w, h).transpose(2, 3)
    return both[:, 0].reshape(b, d, h, w) + columns


def _scan_two(x: Tensor) -> Tensor:
    rows = x.flatten(2)
    out = x.new_empty(x.shape[0], DIRECTIONS, *rows.shape[1:])
    out[:, :2].copy_(rows.unsqueeze(1).expand(-1, 2, -1, -1))
    out[:, 2:].copy_(rows.flip(-1).unsqueeze(1).expand(-1, 2, -1, -1))
    return out


def _merge_two(y: Tensor, h: int, w: int) -> Tensor:
    ahead = y[:, 0] + y[:, 1]
    return (ahead + (y[:, 2] + y[:, 3]).flip(-1)).reshape(y.shape[0], y.shape[2], h, w)


_FOUR_WAYS = Layout(_scan_four, _merge_four)
_TWO_WAYS = Layout(_scan_two, _merge_two)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor, layout: Layout) -> Tensor:
        ctx.shape, ctx.layout = x.shape[2:], layout
        return layout.scan(x)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None]:
        h, w = ctx.shape
        return _merged(grads[0], h, w, ctx.layout), None


class _Merge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, y: Tensor, h: int, w: int, layout: Layout) -> Tensor:
        ctx.shape, ctx.layout = (h, w), layout
        return layout.merge(y, h, w)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        return _scanned(grads[0], ctx.layout), None, None, None
