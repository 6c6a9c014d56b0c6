"""Compiled CPU kernels and the threads they run on: those of torch's own OpenMP pool.

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
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import torch
from torch import Tensor

from remamber.ops._birth import forked

_LOG = logging.getLogger(__name__)
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_COMPILING = threading.RLock()
"""Held while numba's cache folder is ours."""
_GRAIN = 32768
"""State updates a thread is worth waking for, as many as torch's own loops ask."""


class Team(NamedTuple):
    """torch's OpenMP functions: run on the team (None where there is none), number, size."""

    parallel: Any
    number: Any
    size: Any


class Kernel(NamedTuple):
    """A compiled C function ``void (*)(void **)`` and what must outlive its address."""

    call: Any
    kept: Any


@cache
def compile_kernels(module: str, *names: str) -> tuple[Kernel, ...]:
    """Compile functions of one table (see ``_cpu_table``) in a module, or load them from disk.

    Args:
        module: the full name of a module that may import numba.
        names: its functions, in the order wanted.

    Raises:
        Exception: whatever numba and LLVM raise where they cannot compile.
    """
    import llvmlite.binding  # type: ignore[import-untyped]
    import numba

    team = torch_team()
    table = importlib.import_module("remamber.ops._cpu_table")
    for symbol, function in ((table.THREAD_NUMBER, team.number), (table.TEAM_SIZE, team.size)):
        llvmlite.binding.add_symbol(symbol, ctypes.cast(function, ctypes.c_void_p).value)
    config: Any = numba.config
    with _COMPILING:
        before, folder = config.CACHE_DIR, cache_folder(config.CACHE_DIR)
        try:
            config.CACHE_DIR = before if folder is None else str(folder)
            functions = importlib.import_module(module)
            compiled = [
                _compiled(getattr(functions, name), table.SIGNATURE, cached=folder is not None)
                for name in names
            ]
        finally:
            config.CACHE_DIR = before
    return tuple(Kernel(_KERNEL(function.address), function) for function in compiled)


def _compiled(function: Callable[..., Any], signature: Any, *, cached: bool) -> Any:  # noqa: ANN401
    import numba

    if cached:
        try:
            return numba.cfunc(signature, cache=True)(function)
        except Exception as error:  # noqa: BLE001 - a damaged cache fails as it likes
            _LOG.warning("compiling a scan without the cache, which failed: %r", error)
    return numba.cfunc(signature)(function)


def run_kernel(
    kernel: Kernel, sizes: Sequence[int], *, tensors: Sequence[Tensor | None], work: int
) -> None:
    """Run a kernel on every thread of the team: slot 0 of its table holds the sizes.

    Args:
        kernel: what ``compile_kernels`` gave.
        sizes: integers and flags, read by ``_cpu_table.size``.
        tensors: slots 1, 2, ...; the caller sees to dtype and strides; None is a null pointer.
        work: about how many state updates there are, by which threads are woken.
    """
    numbers = (ctypes.c_int64 * len(sizes))(*sizes)
    addresses = [None if t is None else t.data_ptr() for t in tensors]
    table = (ctypes.c_void_p * (1 + len(addresses)))(ctypes.addressof(numbers), *addresses)
    threads = min(torch.get_num_threads(), 1 + work // _GRAIN)
    parallel = torch_team().parallel
    if parallel is None or threads == 1 or forked():
        kernel.call(table)
    else:
        parallel(kernel.call, table, threads, 0)


@cache
def torch_team() -> Team:
    """GOMP_parallel and its companions out of the OpenMP library that torch has loaded."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        loaded = ctypes.CDLL(str(library))
        return Team(loaded.GOMP_parallel, loaded.omp_get_thread_num, loaded.omp_get_num_threads)
    except (OSError, AttributeError):
        alone = ctypes.CFUNCTYPE(ctypes.c_int)
        return Team(None, alone(lambda: 0), alone(lambda: 1))


def cache_folder(chosen: str) -> Path | None:
    """The folder for machine code, by the text of the sources it was compiled from.

    numba itself goes by date and size, which wheels do not keep apart between two versions. None
    where it cannot be written to.
    """
    here = Path(__file__).parent
    texts = [path.read_bytes() for path in (*sorted(here.glob("_cpu_*.py")), here / "_contract.py")]
    name = f"scan-{hashlib.sha256(b''.join(texts)).hexdigest()[:16]}"
    folder = Path(chosen or platformdirs.user_cache_dir("remamber-bench")) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _LOG.info("no cache for compiled scans in %s (%s): compiling anew", folder, error)
        return None
    return folder if os.access(folder, os.W_OK) else None
