"""How long a run takes over all its sessions: a stopped one goes on in another process."""

import time
from pathlib import Path

from remamber.record.files import write_whole

_NAME = "elapsed_s.txt"


class Stopwatch:
    """Seconds of wall time of a run, those of earlier sessions included.

    Args:
        folder: the run's, which keeps the time while the run is not over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._earlier = _read(self._path)
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """All sessions until now."""
        return self._earlier + time.monotonic() - self._start

    def save(self) -> None:
        """Keep the time for a later session, together with what it will go on from.

        Raises:
            UserError: the disk is full or the folder cannot be written.
        """
        write_whole(self._path, f"{self.seconds:.3f}\n")

    def forget(self) -> None:
        """The run is over: its record has the time."""
        self._path.unlink(missing_ok=True)


def wall_s_until(now: float, folder: Path, *, started: float) -> float:
    """The same of a run whose process died, which can no longer say it.

    Args:
        now: seconds since 1970.
        folder: the run's.
        started: when its last session began, seconds since 1970.
    """
    path = folder / _NAME
    saved_at = path.stat().st_mtime if path.is_file() else 0.0
    return _read(path) + now - max(started, saved_at)


def _read(path: Path) -> float:
    try:
        return max(0.0, float(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return 0.0
