"""The directional scan put together from its parts: cross scan, selective scan, cross merge.

What a backend without a fused form runs, and the oracle of those that have one. It copies the
image once for each direction, which the fused forms are there to avoid.
"""

from torch import Tensor

from remamber.ops._contract import ScanBackend, ScanInputs, state_dtype
from remamber.ops._directional_contract import (
    DirectionalGradients,
    DirectionalInputs,
    empty_ddelta,
)
from remamber.ops.cross_scan import cross_merge, cross_merge_each, cross_scan, cross_scan_each


def composed_forward(backend: ScanBackend, inputs: DirectionalInputs) -> tuple[Tensor, Tensor]:
    """Scan with this backend's sequence scan; y and states as in the contract."""
    b, k, h, w, d, n = inputs.sizes
    y, states = backend.forward(_laid_out(inputs))
    merged = cross_merge(y.reshape(b, k, d, h * w), inputs.directions, height=h)
    return merged, states.reshape(b, k, d, -1, n).permute(0, 1, 3, 4, 2).contiguous()


def composed_backward(
    backend: ScanBackend, inputs: DirectionalInputs, *, states: Tensor, dy: Tensor
) -> DirectionalGradients:
    """Gradients by this backend's sequence scan."""
    b, k, h, w, d, _ = inputs.sizes
    ways, shape = inputs.directions, (b, k, d, h * w)
    laid_out = _laid_out(inputs)
    grads = backend.backward(
        laid_out,
        states=states.permute(0, 1, 4, 2, 3).flatten(1, 2),
        dy=cross_scan(dy, ways).flatten(1, 2).to(laid_out.u.dtype),
        dstates=None,
    )
    ddelta = empty_ddelta(inputs.delta)
    ddelta.copy_(cross_merge_each(grads.delta.reshape(shape), ways, height=h))
    du = cross_merge(grads.u.reshape(shape), ways, height=h).to(inputs.u.dtype)
    dB, dC = (cross_merge_each(grad, ways, height=h).contiguous() for grad in (grads.B, grads.C))
    return DirectionalGradients(du, ddelta, grads.A, dB, dC, grads.D, grads.delta_bias)


def _laid_out(inputs: DirectionalInputs) -> ScanInputs:
    ways = inputs.directions
    # The outputs are summed over directions in full precision, which half precision overflows.
    u = inputs.u.to(state_dtype(inputs.u.dtype))
    return ScanInputs(
        cross_scan(u, ways).flatten(1, 2),
        cross_scan_each(inputs.delta, ways).flatten(1, 2),
        inputs.A,
        cross_scan_each(inputs.B, ways),
        cross_scan_each(inputs.C, ways),
        inputs.D,
        inputs.delta_bias,
        inputs.delta_softplus,
    )
