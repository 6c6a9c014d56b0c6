"""What goes wrong or gets in the way while models are measured: memory, swapping, other load."""

import contextlib
import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from remamber.tasks._speed_found import Found

_VMSTAT = Path("/proc/vmstat")
_CGROUP = Path("/sys/fs/cgroup")
_HEADROOM = 0.95
_CLOCK_STEP_S = 1.0
OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError", "DefaultCPUAllocator", "bad_alloc")
"""What an error that says so holds: the names of Python's and torch's, and their allocators'."""
_REASON = 300
"""Characters of an error message that are kept."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or a CPU."""
    return any(word in f"{type(error).__name__}: {error}" for word in OUT_OF_MEMORY)


def last_words(error: BaseException) -> str:
    """An error in one line."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0] if said else 'no reason given'}"[:_REASON]


def available_bytes() -> int:
    """Memory that can be used without swapping, by the system and by the process's own limit."""
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):
        most = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        free = min(free, max(0, most - used))
    return free


def limit_memory() -> int | None:
    """Let allocations beyond what is available fail, instead of swapping or being killed.

    Returns:
        The limit in bytes, None where the system has none.
    """
    if not sys.platform.startswith("linux"):
        return None
    limit = int(_HEADROOM * available_bytes())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return limit


@dataclass(frozen=True)
class Disturbance:
    """What the system counted before the rounds: interrupted turns, swapped pages, its clocks."""

    interrupted: int
    swapped: int
    civil: float
    steady: float

    @classmethod
    def begin(cls) -> "Disturbance":
        """Read the counters."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(used.ru_nivcsw, swapped_pages(), time.time(), time.perf_counter())

    def end(self, found: Found) -> None:
        """Note what was counted since, and warn of what spoils times."""
        now = self.begin()
        seconds = now.steady - self.steady
        found.add("rounds_s", seconds, "seconds")
        found.add("involuntary_switches", now.interrupted - self.interrupted, "count")
        found.add("swapped_pages", now.swapped - self.swapped, "count")
        if now.swapped > self.swapped:
            pages = now.swapped - self.swapped
            found.warnings.append(f"the machine swapped {pages} pages while models were timed")
        step = now.civil - self.civil - seconds
        if abs(step) > _CLOCK_STEP_S:
            found.warnings.append(
                f"the system's clock was set by {step:+.1f} s while models were timed; times are"
                " those of a clock that is never set"
            )


def swapped_pages() -> int:
    """Pages that the system has swapped in or out so far; 0 where it does not say."""
    try:
        text = _VMSTAT.read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(n) for n in re.findall(r"^pswp(?:in|out) (\d+)$", text, re.MULTILINE))
