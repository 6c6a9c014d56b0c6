"""How progress is shown: nothing, lines for a log, or a moving picture for a terminal."""

import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType

from remamber.cli._duration import spoken
from remamber.cli._progress import Progress, shown
from remamber.cli._streams import Streams
from remamber.record.event import Event

LINE_S = 30.0


class Display(AbstractContextManager["Display"]):
    """Shows nothing but keeps the progress; the other displays add to it.

    Args:
        progress: what is known of the runs.
        streams: where to write.
    """

    def __init__(self, progress: Progress, streams: Streams) -> None:
        self.progress = progress
        self.streams = streams

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen as it should stay."""

    def hear(self, number: int, event: Event) -> None:
        """Take in, and show, what a run said."""
        self.progress.hear(number, event, now=time.monotonic())


class PlainDisplay(Display):
    """A line at each run's start and end, and one every 30 s, even when the run is silent."""

    def __init__(self, progress: Progress, streams: Streams, *, every_s: float = LINE_S) -> None:
        super().__init__(progress, streams)
        self._every_s = every_s
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "PlainDisplay":
        """Start the clock."""
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the clock."""
        self._over.set()
        self._ticker.join()

    def hear(self, number: int, event: Event) -> None:
        """Write a line when a run starts, says something or ends."""
        with self._lock:
            before = self.progress.runs[number].state
            super().hear(number, event)
            text = self._line(number, event, began=before == "waiting")
        if text:
            self.streams.say(f"{self.progress.name(number)} {text}")

    def _line(self, number: int, event: Event, *, began: bool) -> str:
        run = self.progress.runs[number]
        took = spoken(run.took(time.monotonic()))
        match event.kind:
            case "start":
                goes_on = f"going on from step {event.done} of {event.total}"
                return goes_on if event.done else f"training, {event.total} steps"
            case "finished":
                return " ".join(["done", *shown(run.values), f"in {took}"])
            case "failed":
                return f"failed: {first_line(event.message)}"
            case "stopped":
                return f"stopped at step {event.done}"
            case "waiting" if began:
                return "waiting: another process does this run"
            case "note":
                return first_line(event.message)
            case _:
                return "starting" if began else ""

    def _tick(self) -> None:
        while not self._over.wait(self._every_s):
            with self._lock:
                now = time.monotonic()
                running = [(n, r) for n, r in enumerate(self.progress.runs) if r.state == "running"]
                lines = [f"{self.progress.name(n)} {r.line(now)}" for n, r in running]
            for line in lines:
                self.streams.say(line)


def first_line(text: str) -> str:
    """The first line of a message; a run may send a whole explanation."""
    return text.strip().split("\n", 1)[0]


def open_display(progress: Progress, streams: Streams) -> Display:
    """The display that the streams ask for."""
    if streams.display == "rich":
        from remamber.cli._rich_display import RichDisplay

        return RichDisplay(progress, streams)
    kinds = {"plain": PlainDisplay, "none": Display}
    return kinds[streams.display](progress, streams)
