"""Peak memory of one call above what was there before it, on a CPU and on a GPU."""

import ctypes
import gc
import re
import sys
from pathlib import Path

import torch

from remamber.tasks._kernel_timing import Call

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK_OF_RSS = "5"


def peak_extra_bytes(call: Call, device: torch.device) -> int | None:
    """Bytes that a warm call needs at its peak besides its arguments, its results included.

    On a GPU by the allocator. On a CPU by the resident set, which counts a kernel's own buffers
    too: freed memory is given back to the system first, the kernel's record of the peak is reset,
    and read after the call. Exact to about a MiB; None where the system has no such record.
    """
    gc.collect()
    if device.type == "cuda":
        return _on_gpu(call, device)
    if not can_measure():
        return None
    give_back()
    before = _status("VmRSS")
    _CLEAR.write_text(_PEAK_OF_RSS)
    kept = call()
    peak = _status("VmHWM")
    del kept
    return max(0, peak - before)


def can_measure() -> bool:
    """Whether the system keeps a peak that can be reset (Linux)."""
    try:
        _CLEAR.write_text(_PEAK_OF_RSS)
    except OSError:
        return False
    return _STATUS.is_file()


def give_back() -> None:
    """Return freed memory to the system, so that using it again is seen."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _on_gpu(call: Call, device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    kept = call()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    del kept
    return peak - before


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
