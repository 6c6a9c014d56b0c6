"""Progress on a terminal: finished rows, a bar over the runs, a bar over the steps."""

import threading
import time
from types import TracebackType

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from remamber.cli._display import Display, first_line
from remamber.cli._duration import spoken
from remamber.cli._progress import Progress, RunProgress, shown
from remamber.cli._streams import Streams
from remamber.record.event import Event

WIDE = 100
"""Columns from which there is room for long bars; below, the numbers matter more."""

_MARKS = {"done": "ok", "failed": "failed", "stopped": "stopped"}


class RichDisplay(Display):
    """Redraws four times a second; what was finished stays on the screen afterwards."""

    def __init__(self, progress: Progress, streams: Streams) -> None:
        super().__init__(progress, streams)
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._live = Live(
            console=streams.err, get_renderable=self._picture, refresh_per_second=4, transient=False
        )

    def __enter__(self) -> "RichDisplay":
        """Take over the last lines of the screen."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw once more and give the screen back."""
        self._live.stop()

    def hear(self, number: int, event: Event) -> None:
        """Take in what a run said; notes are printed above the picture."""
        with self._lock:
            super().hear(number, event)
        if event.kind == "note" and event.message:
            self.streams.say(f"{self.progress.name(number)} {first_line(event.message)}")

    def _picture(self) -> RenderableType:
        with self._lock:
            now = time.monotonic()
            parts: list[RenderableType] = []
            if self.progress.finished() or self.progress.stopped():
                parts.append(_finished(self.progress))
            parts.append(self._bars(now))
            return Group(*parts)

    def _bars(self, now: float) -> Table:
        over, runs = self.progress.finished(), self.progress.runs
        width = 24 if self.streams.err.width >= WIDE else 8
        grid = Table.grid(padding=(0, 1))
        eta = self.progress.eta(now)
        ending = over == len(runs) or self.progress.stopped() or eta is None
        left = "" if ending else f"eta {spoken(eta)}"
        passed = spoken(now - self._started)
        # One width for all names: the bars stay where they are from run to run.
        longest = max(len(run.label) for run in runs)
        grid.add_row(
            Text("runs".ljust(longest)),
            ProgressBar(len(runs), over, width=width),
            Text(f"{over}/{len(runs)}  {passed} passed  {left}", no_wrap=True),
        )
        for run in runs:
            if run.state == "running":
                bar = ProgressBar(run.total or 1, run.done, width=width)
                grid.add_row(Text(run.label), bar, Text(run.line(now), no_wrap=True))
        return grid


def _finished(progress: Progress) -> Table:
    grid = Table.grid(padding=(0, 2))
    for run in progress.runs:
        if run.state in _MARKS:
            style = "green" if run.state == "done" else "red"
            grid.add_row(Text(_MARKS[run.state], style=style), Text(run.label), _ending(run))
    return grid


def _ending(run: RunProgress) -> Text:
    took = spoken(run.took(time.monotonic()))
    if run.state == "done":
        return Text(" ".join([*shown(run.values), f"in {took}"]), no_wrap=True)
    if run.state == "stopped":
        return Text(f"at step {run.done}", no_wrap=True)
    return Text(first_line(run.message), no_wrap=True)
