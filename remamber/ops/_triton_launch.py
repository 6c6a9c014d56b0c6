"""Runs the Triton kernels on sequences or on an image, both seen as (b, g, rows, steps)."""

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from remamber.ops._triton_kernels import scan_backward, scan_forward
from remamber.ops._triton_math import (
    Arriving,
    Given,
    Kept,
    Operand,
    Parameters,
    Partial,
    Sizes,
    Wanted,
)
from remamber.ops._triton_tiles import (
    Tile,
    Work,
    backward_tile,
    forward_tile,
    power_of_two,
)


class ScanView(NamedTuple):
    """A scan's arguments by group; of an image, whose groups are its directions, by position.

    Shapes, of any strides but A's: u, delta (b, g, c, l); A (g c, n); B, C (b, g, n, l); D,
    delta_bias (g c) or None; states (b, g, chunks, n, c). ``ways`` holds each group's direction
    and is None for sequences.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    delta_bias: Tensor | None
    states: Tensor
    delta_softplus: bool
    ways: Tensor | None = None
    height: int = 1
    width: int = 1

    @property
    def work(self) -> Work:
        """What there is to do."""
        b, g, c, l = self.delta.shape  # noqa: E741
        return Work(b * g, c, l, self.A.shape[1], self.ways is not None)


class ViewGradients(NamedTuple):
    """The gradients in the shapes of the view's tensors; parameters' are in float32."""

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    delta_bias: Tensor | None


def run_forward(view: ScanView, *, dtype: torch.dtype, tile: Tile | None = None) -> Tensor:
    """Write the view's states and return y (b, g, c, l), in memory (g, b, l, c) of an image."""
    y, tile = _empty(view, dtype), tile or forward_tile(view.work)
    with _device(view.u):
        scan_forward[_grid(view, tile)](
            _given(view),
            _operand(y),
            **_constants(view, tile),
        )
    return y


def run_backward(
    view: ScanView,
    dy: Tensor,
    dstates: Tensor | None,
    *,
    dtypes: tuple[torch.dtype, torch.dtype],
    tile: Tile | None = None,
) -> ViewGradients:
    """The gradients, of u and delta in these dtypes, in memory as ``run_forward``'s y."""
    tile = tile or backward_tile(view.work)
    to = _empty_gradients(view, dtypes, blocks=_blocks(view, tile))
    with _device(view.u):
        scan_backward[_grid(view, tile)](
            _given(view),
            Arriving(_operand(dy), None if dstates is None else Kept(dstates, *dstates.stride())),
            Wanted(
                _operand(to.u),
                _operand(to.delta),
                Partial(to.B, *to.B.stride()),
                Partial(to.C, *to.C.stride()),
                to.A,
                to.D,
                to.delta_bias,
            ),
            **_constants(view, tile),
        )
    sums = (None if part is None else part.sum(0) for part in to[2:])
    return ViewGradients(to.u, to.delta, *sums)  # type: ignore[arg-type]


def _constants(view: ScanView, tile: Tile) -> dict[str, Any]:
    """What a kernel is compiled for."""
    return {
        "SOFTPLUS": view.delta_softplus,
        "STATES": power_of_two(view.A.shape[1]),
        "CHANNELS": tile.channels,
        "STEPS": tile.steps,
        "RUN": tile.run,
        "STAGES": tile.stages,
        "num_warps": tile.warps,
        "enable_fp_fusion": True,
    }


def _empty(view: ScanView, dtype: torch.dtype) -> Tensor:
    b, g, c, l = view.delta.shape  # noqa: E741
    if view.ways is None:
        return view.u.new_empty(b, g, c, l, dtype=dtype)
    return view.u.new_empty(g, b, l, c, dtype=dtype).permute(1, 0, 3, 2)


def _empty_gradients(
    view: ScanView, dtypes: tuple[torch.dtype, torch.dtype], *, blocks: int
) -> ViewGradients:
    """Unwritten gradients; B's and C's once for each block, A's, D's and the bias's for each b."""
    b, g, c, _ = view.delta.shape
    new = functools.partial(view.u.new_empty, dtype=torch.float32)
    shape = (blocks, *view.B.shape)
    if view.ways is not None:
        shape = (*shape[:3], shape[4], shape[3])
    B, C = (new(shape) if view.ways is None else new(shape).transpose(3, 4) for _ in "BC")
    return ViewGradients(
        _empty(view, dtypes[0]),
        _empty(view, dtypes[1]),
        new(b, *view.A.shape),
        B,
        C,
        None if view.D is None else new(b, g * c),
        None if view.delta_bias is None else new(b, g * c),
    )


def _given(view: ScanView) -> Given:
    _, g, c, l = view.delta.shape  # noqa: E741
    n = view.A.shape[1]
    return Given(
        _operand(view.u),
        _operand(view.delta),
        _operand(view.B),
        _operand(view.C),
        Parameters(view.A, view.A.stride(0), view.D, view.delta_bias, view.ways),
        Kept(view.states, *view.states.stride()),
        Sizes(g, c, l, n, view.height, view.width),
    )


def _operand(tensor: Tensor) -> Operand:
    return Operand(tensor, *tensor.stride())


def _blocks(view: ScanView, tile: Tile) -> int:
    return -(-view.delta.shape[2] // tile.channels)


def _grid(view: ScanView, tile: Tile) -> tuple[int]:
    b, g, _, _ = view.delta.shape
    return (b * g * _blocks(view, tile),)


def _device(tensor: Tensor) -> AbstractContextManager[object]:
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
