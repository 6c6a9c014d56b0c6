"""The directional scan as a torch operator: schema, shapes, gradient and cost.

A backend may define ``directional_forward(inputs) -> (y, states)`` and
``directional_backward(inputs, *, states, dy) -> DirectionalGradients``; one that does not is
served by the composed form.
"""

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor

from remamber.ops._checks import refuse_second_derivative
from remamber.ops._costs import register_flops, scan_backward_flops, scan_flops
from remamber.ops._directional_composed import composed_backward, composed_forward
from remamber.ops._directional_contract import DirectionalInputs, empty_ddelta, empty_results
from remamber.ops._light_autograd import register_gradient
from remamber.ops.backends import load_backend, resolve_backend

Value: TypeAlias = Any
"""A tensor, None, a bool, directions or a name, in the schema's order."""
Context: TypeAlias = Any
"""What torch hands a gradient to remember things on."""
Shape: TypeAlias = Any
"""A tuple of sizes, which is what a cost formula is given for a tensor."""
_ARGUMENTS = (
    "Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? delta_bias, "
    "bool delta_softplus, int[] directions, str backend"
)
_LIBRARY: Any = torch.library.Library("remamber", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define(f"directional_scan({_ARGUMENTS}) -> (Tensor y, Tensor states)")
_LIBRARY.define(
    f"directional_scan_backward(Tensor dy, Tensor states, {_ARGUMENTS}) -> "
    "(Tensor du, Tensor ddelta, Tensor dA, Tensor dB, Tensor dC, Tensor dD, Tensor ddelta_bias)"
)
FORWARD = "remamber::directional_scan"
BACKWARD = "remamber::directional_scan_backward"


def _forward(*arguments: Value) -> tuple[Tensor, Tensor]:
    inputs, backend = _resolved(*arguments)
    if hasattr(backend, "directional_forward"):
        y, states = backend.directional_forward(inputs)
        return y, states
    return composed_forward(backend, inputs)


def _backward(dy: Tensor, states: Tensor, *arguments: Value) -> tuple[Tensor, ...]:
    inputs, backend = _resolved(*arguments)
    if hasattr(backend, "directional_backward"):
        return tuple(backend.directional_backward(inputs, states=states, dy=dy))
    return tuple(composed_backward(backend, inputs, states=states, dy=dy))


def _resolved(*arguments: Value) -> tuple[DirectionalInputs, Any]:
    inputs, backend = _inputs(arguments), arguments[9]
    name = resolve_backend(backend, inputs.u.device, dtype=inputs.u.dtype)
    return inputs, load_backend(name)


def _inputs(arguments: tuple[Value, ...]) -> DirectionalInputs:
    return DirectionalInputs._make([*arguments[:8], tuple(arguments[8])])


def _fake_forward(*arguments: Value) -> tuple[Tensor, Tensor]:
    inputs = _inputs(arguments)
    return empty_results(inputs.u, inputs.sizes)


def _fake_backward(dy: Tensor, states: Tensor, *arguments: Value) -> tuple[Tensor, ...]:
    grads = [states.new_empty(0) if t is None else t.new_empty(t.shape) for t in arguments[:7]]
    grads[1] = empty_ddelta(arguments[1])
    return tuple(grads)


def _save(ctx: Context, inputs: tuple[Value, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1], *inputs[:7])
    ctx.settings = inputs[7:]


def _gradient(ctx: Context, dy: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    refuse_second_derivative("directional_scan")
    states, *tensors = ctx.saved_tensors
    if dy is None:
        return (None,) * 10
    grads = torch.ops.remamber.directional_scan_backward(dy, states, *tensors, *ctx.settings)
    wanted = (None if t is None else g for t, g in zip(tensors, grads, strict=True))
    return (*wanted, None, None, None)


def _forward_flops(u: Shape, delta: Shape, A: Shape, *rest: Shape, **_: Shape) -> int:
    # An element for each direction, as delta has; adding the directions up is not counted.
    return scan_flops(math.prod(delta), A[1])


def _backward_flops(
    dy: Shape, states: Shape, u: Shape, delta: Shape, A: Shape, *rest: Shape, **_: Shape
) -> int:
    return scan_backward_flops(math.prod(delta), A[1])


_LIBRARY.impl("directional_scan", _forward, "CompositeExplicitAutograd")
_LIBRARY.impl("directional_scan_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake(FORWARD, _fake_forward, lib=_LIBRARY)
torch.library.register_fake(BACKWARD, _fake_backward, lib=_LIBRARY)
register_gradient(_LIBRARY, "directional_scan", save=_save, gradient=_gradient)
register_flops("directional_scan", _forward_flops, _backward_flops)
