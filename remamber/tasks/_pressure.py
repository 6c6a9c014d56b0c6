"""How much of the time something waited for a core: the noise that was there before a run."""

import re
from pathlib import Path

_PRESSURE = Path("/proc/pressure/cpu")


def cpu_pressure() -> float | None:
    """Share of the last ten seconds in which something waited for a core; None if not kept."""
    try:
        found = re.search(r"^some avg10=([\d.]+)", _PRESSURE.read_text(encoding="utf-8"))
    except OSError:
        return None
    return float(found[1]) / 100 if found else None
