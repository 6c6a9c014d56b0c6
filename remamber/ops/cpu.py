"""The selective scan on CPUs: numba kernels, run by the threads of torch's own OpenMP pool."""

import logging
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from remamber.ops._contract import Backend, ScanGradients, ScanInputs, state_count
from remamber.ops._cpu_directional import directional_backward as directional_backward
from remamber.ops._cpu_directional import directional_forward as directional_forward
from remamber.ops._cpu_memory import empty
from remamber.ops._cpu_team import Kernel, compile_kernels, run_kernel, torch_team

_LOG = logging.getLogger(__name__)
_TASKS = 32
LANES = 16
"""Channels that the kernels work side by side."""
_LOW_PRECISION = (torch.float32, torch.bfloat16, torch.float16)


class _Kernels(NamedTuple):
    forward: Kernel
    backward: Kernel


def probe() -> Backend:
    """Available where numba compiles the kernels; ``detail`` says with what they run."""
    try:
        _kernels()
    except Exception as error:  # numba and LLVM raise what they like
        _LOG.warning("scans run step by step: numba cannot compile the cpu backend: %r", error)
        return Backend("cpu", False, f"numba cannot compile it: {error!r}"[:300])
    threads = "torch's OpenMP threads" if torch_team().parallel else "one thread: torch has no GOMP"
    return Backend("cpu", True, f"numba, {torch.backends.cpu.get_cpu_capability()}, {threads}")


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """Tensors on the CPU in at most 32 bits; float64 is the reference's."""
    return device.type == "cpu" and dtype in _LOW_PRECISION


def forward(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan in float32; y in u's dtype and the states (b, d, ceil(l / 128), n)."""
    x = _as_float32(inputs)
    b, d, l, n, _ = x.sizes  # noqa: E741
    y, states = empty(x.u, b, d, l), empty(x.u, b, d, state_count(l), n)
    _run(_kernels().forward, x, [y, states], dstates=None)
    return _cast(y, inputs.u), states


def backward(
    inputs: ScanInputs, *, states: Tensor, dy: Tensor, dstates: Tensor | None
) -> ScanGradients:
    """Gradients; sums over samples and blocks of channels are taken in a fixed order."""
    x = _as_float32(inputs)
    b, d, l, n, g = x.sizes  # noqa: E741
    new = partial(empty, x.u)
    du, ddelta, dA, dD, dbias = new(b, d, l), new(b, d, l), new(b, d, n), new(b, d), new(b, d)
    dB, dC = (new(_blocks(x), b, g, n, l) for _ in "BC")
    dstates = None if dstates is None else _plain(dstates)
    given = [_plain(states), _plain(dy), dstates]
    _run(_kernels().backward, x, [*given, du, ddelta, dA, dB, dC, dD, dbias], dstates=dstates)
    grads = (
        du,
        ddelta,
        dA.sum(0),
        dB[0] if len(dB) == 1 else dB.sum(0),
        dC[0] if len(dC) == 1 else dC.sum(0),
        new(0) if x.D is None else dD.sum(0),
        new(0) if x.delta_bias is None else dbias.sum(0),
    )
    return ScanGradients(*(_cast(v, t) for v, t in zip(grads, inputs[:7], strict=True)))


def _run(
    kernel: Kernel, x: ScanInputs, rest: list[Tensor | None], *, dstates: Tensor | None
) -> None:
    flags = (x.delta_softplus, x.D is not None, x.delta_bias is not None, dstates is not None)
    work = x.u.numel() * x.A.shape[1]
    run_kernel(kernel, (*x.sizes, _blocks(x), *flags), tensors=[*x[:7], *rest], work=work)


def _blocks(x: ScanInputs) -> int:
    """Into how many tasks the channels of a group are split; never by the threads at hand."""
    b, d, _, _, g = x.sizes
    units = -(-d // (g * LANES))
    share = -(-units // min(units, -(-_TASKS // (b * g))))
    return -(-units // share)


def _as_float32(inputs: ScanInputs) -> ScanInputs:
    return ScanInputs(
        _plain(inputs.u),
        _plain(inputs.delta),
        _plain(inputs.A),
        _plain(inputs.B),
        _plain(inputs.C),
        None if inputs.D is None else _plain(inputs.D),
        None if inputs.delta_bias is None else _plain(inputs.delta_bias),
        inputs.delta_softplus,
    )


def _plain(tensor: Tensor) -> Tensor:
    # Asked first: each conversion that does nothing still costs a microsecond of a small scan.
    if tensor.dtype is torch.float32 and tensor.is_contiguous():
        return tensor
    return tensor.to(torch.float32).contiguous()


def _cast(tensor: Tensor, given: Tensor | None) -> Tensor:
    if given is None or given.dtype is torch.float32:
        return tensor
    return tensor.to(given.dtype)


@cache
def _kernels() -> _Kernels:
    (forward_kernel,) = compile_kernels("remamber.ops._cpu_forward", "team_forward")
    (backward_kernel,) = compile_kernels("remamber.ops._cpu_backward", "team_backward")
    return _Kernels(forward_kernel, backward_kernel)
