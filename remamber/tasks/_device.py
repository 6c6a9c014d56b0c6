"""The device that a run uses, in words, and the memory that it took."""

import resource
import sys

import torch


def device_name(device: torch.device) -> str:
    """The accelerator's own name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def peak_memory(device: torch.device) -> tuple[int, str]:
    """Peak bytes of this process so far, and which peak that is.

    On a GPU the allocator's peak; elsewhere the resident set, which counts the libraries too.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), "CUDA allocated"
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "process RSS"
