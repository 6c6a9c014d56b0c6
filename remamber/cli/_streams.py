"""stdout carries the result, stderr everything else; colour and movement only where they fit."""

import logging
import os
import shutil
import sys
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

DisplayKind = Literal["auto", "rich", "plain", "none"]
_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}


@dataclass(frozen=True)
class Streams:
    """Where a command writes.

    Attributes:
        err: console on standard error.
        display: how progress is shown.
        quiet: only errors and the final path.
        color: whether the result may hold colour.
    """

    err: Console
    display: Literal["rich", "plain", "none"]
    quiet: bool
    color: bool

    def say(self, text: str = "") -> None:
        """Write to standard error, unless the user asked for quiet."""
        if not self.quiet:
            self.insist(text)

    def insist(self, text: str) -> None:
        """Write to standard error in any case."""
        self.err.print(text, markup=False, highlight=False, soft_wrap=True)

    def result(self, text: str) -> None:
        """Write to standard output."""
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()

    @property
    def width(self) -> int:
        """Columns for the result: the terminal's, 100 where there is none."""
        return shutil.get_terminal_size((100, 24)).columns


def open_streams(
    display: DisplayKind = "auto", *, verbosity: int = 0, no_color: bool = False
) -> Streams:
    """Set up standard error, and logging to it.

    Args:
        display: as on the command line; ``auto`` is plain where nobody watches.
        verbosity: -1 for errors only, 0, 1 for information, 2 for everything.
        no_color: never write colour.
    """
    color = not no_color and not os.environ.get("NO_COLOR")
    err = Console(stderr=True, no_color=not color or None)
    kind = display
    if kind == "auto":
        watched = sys.stderr.isatty() and not os.environ.get("CI")
        kind = "rich" if watched and os.environ.get("TERM") != "dumb" else "plain"
    quiet = verbosity < 0
    _log_to(err, _LEVELS.get(verbosity, logging.DEBUG))
    wanted = sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))
    return Streams(err, "none" if quiet else kind, quiet, color and wanted)


class _ToConsole(logging.Handler):
    """Log records as lines of the console, so that they do not tear a progress bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record as ``warning: message``."""
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _log_to(console: Console, level: int) -> None:
    logger = logging.getLogger("remamber")
    for handler in [h for h in logger.handlers if isinstance(h, _ToConsole)]:
        logger.removeHandler(handler)
    logger.addHandler(_ToConsole(console))
    logger.setLevel(level)
