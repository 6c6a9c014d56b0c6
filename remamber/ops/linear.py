"""The linear map of a layer, with the faster of the two matrix products that torch carries.

On an x86 CPU torch multiplies float32 matrices with MKL, which on AMD's processors keeps to AVX2.
oneDNN, by which torch convolves, uses AVX-512 there too: on Zen 5 it takes 0.45 of the time, on
four cores 0.35. Elsewhere, and where little is multiplied, this is torch's own function.
"""

import math
import platform
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from remamber.ops._costs import register_flops
from remamber.ops._light_autograd import register_gradient

Context: TypeAlias = Any
"""What torch hands a gradient to remember things on."""
_WORTH = 1 << 21
"""Multiplications from which on oneDNN's dearer start is made up for."""
_WORTH_ENTRIES = 6000
"""The same for the entries of a weight's gradient, a sum over all positions."""

_LIBRARY: Any = torch.library.Library("remamber", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor")


def linear(
    x: Float[Tensor, "*b i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"] | None = None
) -> Float[Tensor, "*b o"]:
    """``x weight^T + bias``, as ``torch.nn.functional.linear`` to float32's rounding.

    Chosen by shapes, types and the processor alone, never by a measurement, so that a repeated
    run has the same bits. ``torch.backends.mkldnn.flags(enabled=False)`` leaves all to torch.
    """
    # A compiler has products of its own to choose from.
    if not torch.compiler.is_compiling() and _gains(x, weight):
        result: Tensor = torch.ops.remamber.linear(x, weight, bias)
        return result
    return F.linear(x, weight, bias)


def _gains(x: Tensor, weight: Tensor) -> bool:
    return (
        x.numel() * weight.shape[0] >= _WORTH
        and x.dtype is weight.dtype is torch.float32
        and x.device.type == weight.device.type == "cpu"
        and mkl_is_held_back()
        # Transforms, traces and mixed precision have rules of their own for torch's linear map.
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._get_tracing_state()
        and not torch.is_autocast_enabled("cpu")
        and torch._C._get_mkldnn_enabled()
    )


@cache
def mkl_is_held_back() -> bool:
    """Whether torch multiplies by MKL here and the processor is an AVX-512 one of AMD's."""
    return (
        torch._C.has_mkl
        and torch._C._has_mkldnn
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and "AuthenticAMD" in _maker()
    )


def _maker() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
            return next((line for line in stream if line.startswith("vendor_id")), "")
    except OSError:
        return platform.processor()


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if x.dtype is torch.float32 and x.device.type == "cpu" and mkl_is_held_back():
        # Of a part of a weight, whose rows are further apart than they are long, it makes a loop.
        if not (weight.is_contiguous() or weight.t().is_contiguous()):
            weight = weight.contiguous()
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product
    return F.linear(x, weight, bias)


def _fake_forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])


def _save(ctx: Context, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.has_bias = inputs[2] is not None


def _gradient(ctx: Context, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    for_x, for_weight, for_bias = ctx.needs_input_grad
    rows = dy.flatten(0, -2)
    return (
        linear(dy, weight.t()) if for_x else None,
        _outer(rows, x.flatten(0, -2)) if for_weight else None,
        rows.sum(0) if for_bias and ctx.has_bias else None,
    )


def _outer(dy: Tensor, x: Tensor) -> Tensor:
    """dy^T x; oneDNN is slow at it where the result is small and the sums are long."""
    if dy.shape[1] * x.shape[1] >= _WORTH_ENTRIES:
        return linear(dy.t(), x.t())
    return dy.t() @ x


def _flops(x: tuple[int, ...], weight: tuple[int, ...], *rest: object, **_: object) -> int:
    return 2 * math.prod(x) * weight[0]


_LIBRARY.impl("linear", _forward, "CompositeExplicitAutograd")
torch.library.register_fake("remamber::linear", _fake_forward, lib=_LIBRARY)
register_gradient(_LIBRARY, "linear", save=_save, gradient=_gradient)
register_flops("linear", _flops)
