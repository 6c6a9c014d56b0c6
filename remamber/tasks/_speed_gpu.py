"""What the NVIDIA driver says of a GPU: who computes on it, its clock, temperature and power.

nvidia-ml-py comes with the extra ``gpu``; without it, and on a CPU, there is nothing to say.
"""

import importlib
import os
from functools import cache
from typing import Any, NamedTuple

_THROTTLED = {0x8: "hardware", 0x20: "heat (driver)", 0x40: "heat", 0x80: "power brake"}
"""Bits of the driver's reasons for a lower clock that spoil a time; a power cap is usual."""


class GpuState(NamedTuple):
    """One look at a GPU."""

    sm_clock_hz: float
    celsius: float
    watts: float
    throttled: tuple[str, ...]


class Gpu:
    """One GPU as the driver sees it.

    Args:
        nvml: the module ``pynvml``, initialised.
        handle: the driver's handle.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:  # noqa: ANN401 - a module without types
        self._nvml, self._handle = nvml, handle

    def others(self) -> list[int]:
        """Processes besides this one that compute on it."""
        found = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        return sorted(p.pid for p in found if p.pid != os.getpid())

    def state(self) -> GpuState:
        """Clock, temperature, power and reasons for a lower clock now."""
        nvml, handle = self._nvml, self._handle
        bits = nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
        return GpuState(
            1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
            float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
            tuple(word for bit, word in _THROTTLED.items() if bits & bit),
        )


@cache
def open_gpu(device: str) -> Gpu | None:
    """The GPU that torch would use; None on a CPU and where the driver cannot be asked."""
    if device != "cuda":
        return None
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        return Gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(_index()))
    except (ImportError, OSError, ValueError):
        return None
    except Exception as error:  # the driver's own errors share no base with Python's
        if type(error).__module__ != "pynvml" and "NVML" not in type(error).__name__:
            raise
        return None


def _index() -> int:
    """The driver's number of the first GPU that this process may see."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    return int(first) if first else 0
