"""The directional scan on CPUs: the fused numba kernels and what they are handed.

No copy of the image is made for a direction. What is not float32, or has no neighbouring
channels, is converted first.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from remamber.ops._contract import state_count
from remamber.ops._cpu_memory import empty
from remamber.ops._cpu_team import Kernel, compile_kernels, run_kernel
from remamber.ops._directional_contract import DirectionalGradients, DirectionalInputs

WIDE = 64
"""Channels of a vector, see ``_cpu_wide``; a task's are a multiple."""
_VECTORS = (2, 1)
"""Of a task: many read whole cache lines in a row, few share the work among more threads."""
_TASKS = 8


class _Kernels(NamedTuple):
    forward: Kernel
    backward: Kernel


def directional_forward(inputs: DirectionalInputs) -> tuple[Tensor, Tensor]:
    """Scan in float32; y and states as in the contract."""
    x = _prepared(inputs)
    b, k, h, w, d, n = x.sizes
    y, states = empty(x.u, b, h, w, d), empty(x.u, b, k, state_count(h * w), n, d)
    _run(_kernels().forward, x, [y, states])
    return y, states


def directional_backward(
    inputs: DirectionalInputs, *, states: Tensor, dy: Tensor
) -> DirectionalGradients:
    """Gradients; sums over samples and blocks of channels are taken in a fixed order."""
    x = _prepared(inputs)
    b, k, h, w, d, n = x.sizes
    blocks = -(-d // _block(x))
    du, ddelta = empty(x.u, b, h, w, d), empty(x.u, k, b, h, w, d)
    dA, dD, dbias = (x.u.new_empty(shape) for shape in ((b, k, n, d), (b, d), (b, k, d)))
    dB, dC = (empty(x.u, blocks, b, k, h, w, n) for _ in "BC")
    grads = [du, ddelta, dA, dB, dC, dD, dbias]
    _run(_kernels().backward, x, [states.contiguous(), _plain(dy), *grads])
    results = (
        du,
        ddelta.transpose(0, 1),
        _sum(dA).transpose(1, 2).reshape(k * d, n),
        _sum(dB),
        _sum(dC),
        du.new_empty(0) if x.D is None else _sum(dD).repeat(k),
        du.new_empty(0) if x.delta_bias is None else _sum(dbias).flatten(),
    )
    return DirectionalGradients(
        *(
            grad if given is None or given.dtype is torch.float32 else grad.to(given.dtype)
            for grad, given in zip(results, inputs[:7], strict=True)
        )
    )


def _run(kernel: Kernel, x: DirectionalInputs, rest: list[Tensor]) -> None:
    b, k, h, w, d, n = x.sizes
    flags = (x.delta_softplus, x.D is not None, x.delta_bias is not None)
    strides = (
        *(x.u.stride(0), _step(x.u)),
        *(*x.delta.stride()[:2], _step(x.delta)),
        *(*x.B.stride()[:2], _step(x.B), x.B.stride(4)),
        *(*x.C.stride()[:2], _step(x.C), x.C.stride(4)),
    )
    sizes = (b, k, h, w, d, n, _block(x), *flags, *strides, *x.directions)
    run_kernel(kernel, sizes, tensors=[*x[:7], *rest], work=b * k * h * w * d * n)


def _block(x: DirectionalInputs) -> int:
    """Channels of a task; by the shapes alone, never by the threads at hand."""
    b, _, _, _, d, _ = x.sizes
    return WIDE * next((v for v in _VECTORS if b * d >= _TASKS * WIDE * v), 1)


def _prepared(inputs: DirectionalInputs) -> DirectionalInputs:
    _, k, _, _, d, n = inputs.sizes
    A = inputs.A if n == 1 else inputs.A.reshape(k, d, n).transpose(1, 2)
    return inputs._replace(
        u=_by_channel(inputs.u),
        delta=_by_channel(inputs.delta),
        A=_plain(A),
        B=_by_position(inputs.B),
        C=_by_position(inputs.C),
        D=None if inputs.D is None else _plain(inputs.D),
        delta_bias=None if inputs.delta_bias is None else _plain(inputs.delta_bias),
    )


def _by_channel(images: Tensor) -> Tensor:
    """In float32, the channels neighbours and the positions at one distance."""
    return _by_position(images if images.stride(-1) == 1 else images.contiguous())


def _by_position(images: Tensor) -> Tensor:
    """In float32, the positions of an image (.., h, w, c) at one distance; else a copy."""
    images = _single(images)
    h, w, _ = images.shape[-3:]
    even = h == 1 or w == 1 or images.stride(-3) == w * images.stride(-2)
    return images if even else images.contiguous()


def _plain(tensor: Tensor) -> Tensor:
    tensor = _single(tensor)
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def _single(tensor: Tensor) -> Tensor:
    # Asked first: a conversion that does nothing still costs a microsecond of a small scan.
    return tensor if tensor.dtype is torch.float32 else tensor.to(torch.float32)


def _sum(parts: Tensor) -> Tensor:
    return parts[0] if len(parts) == 1 else parts.sum(0)


def _step(images: Tensor) -> int:
    """From one position to the next; the stride of an axis of length one says nothing."""
    return images.stride(-2 if images.shape[-2] > 1 else -3)


@cache
def _kernels() -> _Kernels:
    module = "remamber.ops._cpu_directional"
    forward = compile_kernels(f"{module}_forward", "team_forward")
    return _Kernels(*forward, *compile_kernels(f"{module}_backward", "team_backward"))
