"""Peak memory of one call above what was there before it, on a CPU and on a GPU."""

import gc

import torch

from remamber.tasks._interleaving import Call
from remamber.tasks._resident import can_measure, give_back, reset_peak, resident, resident_peak


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
    before = resident()
    reset_peak()
    kept = call()
    peak = resident_peak()
    del kept
    return max(0, peak - before)


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
