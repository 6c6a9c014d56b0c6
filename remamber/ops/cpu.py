"""The selective scan on CPUs: numba kernels, run by the threads of torch's own OpenMP pool.

A second pool (numba's ``prange`` would bring one: its OpenMP layer links another libgomp than
torch's wheel carries) costs up to a millisecond every time the two alternate, more than a whole
scan. So the kernels are C functions, handed to the ``GOMP_parallel`` that torch itself uses.
Where torch has no such function, with one thread or little work, and in a forked process, whose
pool did not survive the fork, the same compiled code runs on the calling thread: the bits never
differ.
"""

import ctypes
import hashlib
import importlib
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import torch
from torch import Tensor

from remamber.ops._contract import Backend, ScanGradients, ScanInputs, state_count

_LOG = logging.getLogger(__name__)
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_BIRTH = os.getpid()
_TASKS = 32
_LEAST_ROWS = 8
_GRAIN = 32768
"""State updates a thread is worth waking for, as many as torch's own loops ask."""
_LOW_PRECISION = (torch.float32, torch.bfloat16, torch.float16)


class _Team(NamedTuple):
    """torch's OpenMP functions: run on the team (None where there is none), number, size."""

    parallel: Any
    number: Any
    size: Any


class _Kernels(NamedTuple):
    """The compiled functions, the team they run on, and what must outlive their addresses."""

    forward: Any
    backward: Any
    team: _Team
    kept: list[Any]


def probe() -> Backend:
    """Available where numba compiles the kernels; ``detail`` says with what they run."""
    try:
        kernels = _kernels()
    except Exception as error:  # numba and LLVM raise what they like
        _LOG.warning("scans run step by step: numba cannot compile the cpu backend: %r", error)
        return Backend("cpu", False, f"numba cannot compile it: {error!r}"[:300])
    threads = "torch's OpenMP threads" if kernels.team.parallel else "one thread: torch has no GOMP"
    return Backend("cpu", True, f"numba, {torch.backends.cpu.get_cpu_capability()}, {threads}")


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """Tensors on the CPU in at most 32 bits; float64 is the reference's."""
    return device.type == "cpu" and dtype in _LOW_PRECISION


def forward(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan in float32; y in u's dtype and the states (b, d, ceil(l / 128), n)."""
    x = _as_float32(inputs)
    b, d, l, n, _ = x.sizes  # noqa: E741
    y, states = x.u.new_empty(b, d, l), x.u.new_empty(b, d, state_count(l), n)
    _run(_kernels().forward, x, [y, states], dstates=None)
    return _cast(y, inputs.u), states


def backward(
    inputs: ScanInputs, *, states: Tensor, dy: Tensor, dstates: Tensor | None
) -> ScanGradients:
    """Gradients; sums over samples and blocks of channels are taken in a fixed order."""
    x = _as_float32(inputs)
    b, d, l, n, g = x.sizes  # noqa: E741
    new = x.u.new_empty
    du, ddelta, dA, dD, dbias = new(b, d, l), new(b, d, l), new(b, d, n), new(b, d), new(b, d)
    dB, dC = (x.u.new_zeros(_blocks(x), b, g, n, l) for _ in "BC")
    dstates = None if dstates is None else _plain(dstates)
    given = [_plain(states), _plain(dy), dstates]
    _run(_kernels().backward, x, [*given, du, ddelta, dA, dB, dC, dD, dbias], dstates=dstates)
    nothing = new(0)
    grads = (
        du,
        ddelta,
        dA.sum(0),
        dB[0] if len(dB) == 1 else dB.sum(0),
        dC[0] if len(dC) == 1 else dC.sum(0),
        nothing if x.D is None else dD.sum(0),
        nothing if x.delta_bias is None else dbias.sum(0),
    )
    return ScanGradients(*(_cast(v, t) for v, t in zip(grads, inputs[:7], strict=True)))


def _run(
    kernel: Any,  # noqa: ANN401  (a ctypes function)
    x: ScanInputs,
    rest: list[Tensor | None],
    *,
    dstates: Tensor | None,
) -> None:
    flags = (x.delta_softplus, x.D is not None, x.delta_bias is not None, dstates is not None)
    sizes = (ctypes.c_int64 * 10)(*x.sizes, _blocks(x), *flags)
    tensors = [*x[:7], *rest]
    addresses = [None if t is None else t.data_ptr() for t in tensors]
    table = (ctypes.c_void_p * (1 + len(tensors)))(ctypes.addressof(sizes), *addresses)
    threads = min(torch.get_num_threads(), 1 + x.u.numel() * x.A.shape[1] // _GRAIN)
    parallel = _kernels().team.parallel
    if parallel is None or threads == 1 or os.getpid() != _BIRTH:
        kernel(table)
    else:
        parallel(kernel, table, threads, 0)


def _blocks(x: ScanInputs) -> int:
    """Into how many tasks the channels of a group are split; never by the threads at hand."""
    b, d, _, _, g = x.sizes
    return min(-(-_TASKS // (b * g)), -(-d // (g * _LEAST_ROWS)))


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
    import llvmlite.binding  # type: ignore[import-untyped]
    import numba

    team = _torch_openmp()
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(_cache_folder(config.CACHE_DIR))
    try:
        tasks = importlib.import_module("remamber.ops._cpu_tasks")
        for symbol, function in ((tasks.THREAD_NUMBER, team.number), (tasks.TEAM_SIZE, team.size)):
            llvmlite.binding.add_symbol(symbol, ctypes.cast(function, ctypes.c_void_p).value)
        compile_task = numba.cfunc(tasks.TABLE, cache=True)
        compiled: list[Any] = [compile_task(t) for t in (tasks.team_forward, tasks.team_backward)]
    finally:
        config.CACHE_DIR = before
    forward_kernel, backward_kernel = (_KERNEL(kernel.address) for kernel in compiled)
    return _Kernels(forward_kernel, backward_kernel, team, kept=compiled)


def _torch_openmp() -> _Team:
    """GOMP_parallel and its companions out of the OpenMP library that torch has loaded."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        loaded = ctypes.CDLL(str(library))
        return _Team(loaded.GOMP_parallel, loaded.omp_get_thread_num, loaded.omp_get_num_threads)
    except (OSError, AttributeError):
        alone = ctypes.CFUNCTYPE(ctypes.c_int)
        return _Team(None, alone(lambda: 0), alone(lambda: 1))


def _cache_folder(chosen: str) -> Path:
    """A writable folder for machine code, by the text of the sources it was compiled from.

    numba itself goes by date and size, which wheels do not keep apart between two versions.
    """
    here = Path(__file__).parent
    texts = [path.read_bytes() for path in (*sorted(here.glob("_cpu_*.py")), here / "_contract.py")]
    name = f"scan-{hashlib.sha256(b''.join(texts)).hexdigest()[:16]}"
    folder = Path(chosen or platformdirs.user_cache_dir("remamber-bench")) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _LOG.info("no cache for compiled scans in %s (%s): compiling anew", folder, error)
    return folder if os.access(folder, os.W_OK) else Path(tempfile.mkdtemp(prefix="remamber-"))
