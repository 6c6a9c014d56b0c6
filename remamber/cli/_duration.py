"""Times as people write and read them: ``10m``, ``3m52s``."""

import re

from remamber.errors import UserError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def parse_duration(text: str) -> float:
    """``90``, ``90s``, ``10m`` or ``1h30m`` in seconds.

    Raises:
        UserError: anything else, and no time at all.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UserError(
            f"--budget {text}: expected a time such as 90s, 10m or 1h30m",
            fix=["--budget 10m"],
            slug="bad_duration",
        )
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if seconds <= 0:
        raise UserError(
            f"--budget {text}: expected a time above 0", fix=["--budget 10m"], slug="bad_duration"
        )
    return seconds


def spoken(seconds: float | None) -> str:
    """Seconds as ``45s``, ``3m52s`` or ``2h05m``; a question mark where they are not known."""
    if seconds is None:
        return "?"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
