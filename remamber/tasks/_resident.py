"""This process's resident set, its peak, and what lets them say something of one call (Linux)."""

import ctypes
import re
import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK_OF_RSS = "5"


def can_measure() -> bool:
    """Whether the system keeps a peak that can be reset."""
    try:
        reset_peak()
    except OSError:
        return False
    return _STATUS.is_file()


def resident() -> int:
    """Bytes of the resident set, exact to about a MiB."""
    return _status("VmRSS")


def reset_peak() -> None:
    """Let ``resident_peak`` begin anew."""
    _CLEAR.write_text(_PEAK_OF_RSS)


def resident_peak() -> int:
    """Largest resident set since the last reset, bytes."""
    return _status("VmHWM")


def give_back() -> None:
    """Return freed memory to the system, so that using it again is seen."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
