"""The selective scan as a torch operator: schema, shapes, gradient and cost.

``torch.ops.remamber.selective_scan`` is what torch.compile, FakeTensor, FlopCounterMode and a
trace see; which implementation computes it is decided by name when it runs.
"""

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor

from remamber.ops._checks import refuse_second_derivative
from remamber.ops._contract import ScanInputs, state_count, state_dtype
from remamber.ops._costs import register_flops, scan_backward_flops, scan_flops
from remamber.ops._light_autograd import register_gradient
from remamber.ops.backends import load_backend, resolve_backend

Value: TypeAlias = Any
"""A tensor, None, a bool or a name, in the schema's order."""
Context: TypeAlias = Any
"""What torch hands a gradient to remember things on."""
Shape: TypeAlias = Any
"""A tuple of sizes, which is what a cost formula is given for a tensor."""
_ARGUMENTS = (
    "Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? delta_bias, "
    "bool delta_softplus, str backend"
)
_LIBRARY: Any = torch.library.Library("remamber", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define(f"selective_scan({_ARGUMENTS}) -> (Tensor y, Tensor states)")
_LIBRARY.define(
    f"selective_scan_backward(Tensor dy, Tensor? dstates, Tensor states, {_ARGUMENTS}) -> "
    "(Tensor du, Tensor ddelta, Tensor dA, Tensor dB, Tensor dC, Tensor dD, Tensor ddelta_bias)"
)
FORWARD = "remamber::selective_scan"
BACKWARD = "remamber::selective_scan_backward"


def _forward(*arguments: Value) -> tuple[Tensor, Tensor]:
    inputs, backend = ScanInputs(*arguments[:8]), arguments[8]
    name = resolve_backend(backend, inputs.u.device, dtype=inputs.u.dtype)
    return load_backend(name).forward(inputs)


def _backward(
    dy: Tensor, dstates: Tensor | None, states: Tensor, *arguments: Value
) -> tuple[Tensor, ...]:
    inputs, backend = ScanInputs(*arguments[:8]), arguments[8]
    name = resolve_backend(backend, inputs.u.device, dtype=inputs.u.dtype)
    return tuple(load_backend(name).backward(inputs, states=states, dy=dy, dstates=dstates))


def _fake_forward(u: Tensor, delta: Tensor, A: Tensor, *rest: Value) -> tuple[Tensor, Tensor]:
    b, d, length = u.shape
    states = (b, d, state_count(length), A.shape[1])
    return u.new_empty(u.shape), u.new_empty(states, dtype=state_dtype(u.dtype))


def _fake_backward(
    dy: Tensor, dstates: Tensor | None, states: Tensor, *arguments: Value
) -> tuple[Tensor, ...]:
    return tuple(states.new_empty(0) if t is None else t.new_empty(t.shape) for t in arguments[:7])


def _save(ctx: Context, inputs: tuple[Value, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], *inputs[:7])
    ctx.delta_softplus, ctx.backend = inputs[7:]


def _gradient(ctx: Context, dy: Tensor | None, dstates: Tensor | None) -> tuple[Tensor | None, ...]:
    refuse_second_derivative("selective_scan")
    states, *tensors = ctx.saved_tensors
    dy = torch.zeros_like(tensors[0]) if dy is None else dy
    grads = torch.ops.remamber.selective_scan_backward(
        dy, dstates, states, *tensors, ctx.delta_softplus, ctx.backend
    )
    wanted = (None if t is None else g for t, g in zip(tensors, grads, strict=True))
    return (*wanted, None, None)


def _forward_flops(u: Shape, delta: Shape, A: Shape, *rest: Shape, **_: Shape) -> int:
    return scan_flops(math.prod(u), A[1])


def _backward_flops(
    dy: Shape, dstates: Shape, states: Shape, u: Shape, *rest: Shape, **_: Shape
) -> int:
    return scan_backward_flops(math.prod(u), states[3])


_LIBRARY.impl("selective_scan", _forward, "CompositeExplicitAutograd")
_LIBRARY.impl("selective_scan_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake(FORWARD, _fake_forward, lib=_LIBRARY)
torch.library.register_fake(BACKWARD, _fake_backward, lib=_LIBRARY)
register_gradient(_LIBRARY, "selective_scan", save=_save, gradient=_gradient)
register_flops("selective_scan", _forward_flops, _backward_flops)
