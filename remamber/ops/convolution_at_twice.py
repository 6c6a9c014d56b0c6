"""A 3x3 convolution of a map that is first enlarged to twice its resolution, bilinearly.

Every tap of the kernel is a product with the channels of a pixel, and so commutes with the
interpolation: the nine products are taken at the map's own resolution, a quarter of the
multiplications, and only then enlarged, shifted and added up. The enlarged map is never made.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from remamber.ops._checks import refuse_second_derivative
from remamber.ops._costs import register_flops
from remamber.ops._cpu_memory import empty
from remamber.ops._cpu_team import Kernel, compile_kernels, run_kernel
from remamber.ops._light_autograd import register_gradient
from remamber.ops.backends import resolve_backend
from remamber.ops.linear import linear

Context: TypeAlias = Any
"""What torch hands a gradient to remember things on."""
Shape: TypeAlias = Any
"""A tuple of sizes, which is what a cost formula is given for a tensor."""
_WORTH = 1 << 24
"""Multiplications of the plain convolution from which on the kernels' start is made up for."""
_SMALLEST = 4
"""Side of a map: below it a row is read by rows that are not there."""
_CHANNELS, _ROOM = 32, 1 << 25
"""Output channels worked at a time are a multiple of the first; their products have about as many
elements as the second."""
_TAPS, _READ = 3, 2

_LIBRARY: Any = torch.library.Library("remamber", "FRAGMENT")  # type: ignore[no-untyped-call]
_ARGUMENTS = "Tensor x, Tensor weight, Tensor? bias, bool align_corners"
_LIBRARY.define(f"convolution_at_twice({_ARGUMENTS}) -> Tensor")
_LIBRARY.define(
    "convolution_at_twice_backward(Tensor dy, Tensor x, Tensor weight, bool align_corners,"
    " bool for_x, bool for_weight) -> (Tensor dx, Tensor dweight)"
)


def convolution_at_twice(
    x: Float[Tensor, "b i h w"],
    weight: Float[Tensor, "o i 3 3"],
    bias: Float[Tensor, " o"] | None = None,
    *,
    align_corners: bool = True,
) -> Float[Tensor, "b o h2 w2"]:
    """``conv2d(interpolate(x, scale_factor=2, mode="bilinear"), weight, bias, padding=1)``.

    Equal to float32's rounding. Where the products do not pay, and everywhere but on a CPU, this
    is torch's own sequence of the two; so it is for a compiler, a trace, whoever counts operators
    (a model costs the same on every machine) and mixed precision. The choice is by shapes and
    types alone.

    Args:
        x: the map; fast where it is channels-last.
        weight: of the convolution.
        bias: of the convolution.
        align_corners: how the map is enlarged, see ``torch.nn.functional.interpolate``.
    """
    if by_products(x, weight):
        last = x.permute(0, 2, 3, 1)
        y: Tensor = torch.ops.remamber.convolution_at_twice(last, weight, bias, align_corners)
        return y.permute(0, 3, 1, 2)
    large = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)
    return F.conv2d(large, weight, bias, padding=1)


def by_products(x: Float[Tensor, "b i h w"], weight: Float[Tensor, "o i 3 3"]) -> bool:
    """Whether ``convolution_at_twice`` takes the nine products here, and so needs little room."""
    b, _, h, w = x.shape
    return (
        not torch.compiler.is_compiling()
        # Fake tensors and the like are there to see a model's operations as they are written.
        and type(x) is Tensor
        and x.dtype is weight.dtype is torch.float32
        and x.device.type == weight.device.type == "cpu"
        and min(h, w) >= _SMALLEST
        and 4 * b * h * w * weight.numel() >= _WORTH
        and weight.shape[0] >= _CHANNELS
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._get_tracing_state()
        and not torch._C._len_torch_dispatch_stack()
        and not torch.is_autocast_enabled("cpu")
        and resolve_backend("auto", x.device, dtype=x.dtype) == "cpu"
    )


class Bands(NamedTuple):
    """The rows of a sparse matrix whose entries stand side by side: where they begin, and they."""

    first: Tensor
    weights: Tensor


class _Kernels(NamedTuple):
    gather: Kernel
    spread: Kernel


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, align_corners: bool) -> Tensor:
    b, h, w, _ = x.shape
    y = empty(x, b, 2 * h, 2 * w, weight.shape[0])
    shift = weight.new_zeros(len(weight)) if bias is None else bias.detach().contiguous()
    tables = [_reading(side, align_corners) for side in (h, w)]
    for one in _blocks(x, weight):
        products = linear(x, _taps(weight[one]))
        _run(_kernels().gather, products, y[..., one], shift[one], tables, _READ)
    return y


def _backward(
    dy: Tensor, x: Tensor, weight: Tensor, align_corners: bool, for_x: bool, for_weight: bool
) -> tuple[Tensor, Tensor]:
    b, h, w, i = x.shape
    dy, rows = dy.contiguous(), x.reshape(-1, i)
    dx = x.new_zeros(rows.shape) if for_x else x.new_empty(0)
    dweight = torch.empty_like(weight) if for_weight else x.new_empty(0)
    tables = [_read_by(side, align_corners) for side in (h, w)]
    for one in _blocks(x, weight):
        products = empty(x, b, h, w, _TAPS**2 * (one.stop - one.start))
        _run(_kernels().spread, products, dy[..., one], None, tables, tables[0].weights.shape[2])
        flat = products.flatten(0, 2)
        if for_x:
            dx += linear(flat, _taps(weight[one]).t())
        if for_weight:
            taps = linear(flat.t(), rows.t()).view(_TAPS, _TAPS, -1, i)
            dweight[one] = taps.permute(2, 3, 0, 1)
    return dx.view(x.shape) if for_x else dx, dweight


def _run(
    kernel: Kernel,
    products: Tensor,
    enlarged: Tensor,
    shift: Tensor | None,
    tables: list[Bands],
    reach: int,
) -> None:
    b, h, w, nine = products.shape
    sizes = (b, h, w, nine // _TAPS**2, enlarged.stride(2), reach)
    bands = [tensor for table in tables for tensor in table]
    run_kernel(kernel, sizes, tensors=[products, enlarged, shift, *bands], work=products.numel())


def _blocks(x: Tensor, weight: Tensor) -> Iterator[slice]:
    """The output channels, a few at a time: their products are nine times as large as they."""
    positions, o = math.prod(x.shape[:3]), weight.shape[0]
    step = max(1, _ROOM // (positions * _TAPS**2 * _CHANNELS)) * _CHANNELS
    return (slice(first, min(first + step, o)) for first in range(0, o, step))


def _taps(weight: Tensor) -> Tensor:
    """The kernel as one matrix, (9 o, i), tap by tap."""
    return weight.permute(2, 3, 0, 1).reshape(-1, weight.shape[1])


@cache
def _reading(side: int, align_corners: bool) -> Bands:
    """Which positions of a side each enlarged one reads, for each tap, and with what weights."""
    return _bands(_shifted(side, align_corners), _READ)


@cache
def _read_by(side: int, align_corners: bool) -> Bands:
    """Which enlarged positions read each one of a side, for each tap, and with what weights."""
    matrix = _shifted(side, align_corners).transpose(0, 2)
    there = matrix != 0
    last = matrix.shape[2] - there.flip(2).int().argmax(2)
    reach = torch.where(there.any(2), last - there.int().argmax(2), 0).max()
    return _bands(matrix, int(reach))


def _shifted(side: int, align_corners: bool) -> Float[Tensor, "s2 3 s"]:
    """The interpolation as a matrix, torch's own, its rows shifted to each tap; zeros outside."""
    unit = torch.eye(side).unsqueeze(0)
    large = F.interpolate(unit, scale_factor=2, mode="linear", align_corners=align_corners)
    padded = F.pad(large[0].t(), (0, 0, 1, 1))
    return torch.stack([padded[tap : tap + 2 * side] for tap in range(_TAPS)], dim=1)


def _bands(matrix: Float[Tensor, "s k t"], width: int) -> Bands:
    first = (matrix != 0).int().argmax(2).clamp(max=matrix.shape[2] - width)
    places = first.unsqueeze(2) + torch.arange(width)
    return Bands(first.contiguous(), matrix.gather(2, places).contiguous())


@cache
def _kernels() -> _Kernels:
    return _Kernels(*compile_kernels("remamber.ops._cpu_at_twice", "team_gather", "team_spread"))


def _fake_forward(x: Tensor, weight: Tensor, bias: Tensor | None, align_corners: bool) -> Tensor:
    b, h, w, _ = x.shape
    return x.new_empty(b, 2 * h, 2 * w, weight.shape[0])


def _fake_backward(
    dy: Tensor, x: Tensor, weight: Tensor, align_corners: bool, for_x: bool, for_weight: bool
) -> tuple[Tensor, Tensor]:
    return (
        x.new_empty(x.shape if for_x else (0,)),
        weight.new_empty(weight.shape if for_weight else (0,)),
    )


def _save(ctx: Context, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.align_corners, ctx.has_bias = inputs[3], inputs[2] is not None


def _gradient(ctx: Context, dy: Tensor) -> tuple[Tensor | None, ...]:
    refuse_second_derivative("convolution_at_twice")
    x, weight = ctx.saved_tensors
    wanted = ctx.needs_input_grad
    dx, dweight = torch.ops.remamber.convolution_at_twice_backward(
        dy, x, weight, ctx.align_corners, *wanted[:2]
    )
    return (
        dx if wanted[0] else None,
        dweight if wanted[1] else None,
        dy.sum((0, 1, 2)) if wanted[2] and ctx.has_bias else None,
        None,
    )


def _flops(x: Shape, weight: Shape, *rest: object, **_: object) -> int:
    # What the convolution costs that this stands for: a model's FLOPs are those of its layers,
    # the same on every device, whichever way they are computed.
    return 2 * 4 * int(math.prod(x[:3])) * int(math.prod(weight))


def _backward_flops(dy: Shape, x: Shape, weight: Shape, *rest: object, **_: object) -> int:
    return sum(map(bool, rest[1:3])) * _flops(x, weight)


_LIBRARY.impl("convolution_at_twice", _forward, "CompositeExplicitAutograd")
_LIBRARY.impl("convolution_at_twice_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake("remamber::convolution_at_twice", _fake_forward, lib=_LIBRARY)
torch.library.register_fake("remamber::convolution_at_twice_backward", _fake_backward, lib=_LIBRARY)
register_gradient(_LIBRARY, "convolution_at_twice", save=_save, gradient=_gradient)
register_flops("convolution_at_twice", _flops, _backward_flops)
