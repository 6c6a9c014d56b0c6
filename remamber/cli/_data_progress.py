"""Progress of one long piece of work on data: a bar on a terminal, else a line every 30 s."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from remamber.cli._display import LINE_S
from remamber.cli._duration import spoken
from remamber.cli._streams import Streams

if TYPE_CHECKING:
    from remamber.datasets import OnProgress


@contextmanager
def told(streams: Streams) -> Iterator["OnProgress"]:
    """Give a function that shows (what is being done, how many are done, of how many)."""
    if streams.display == "rich":
        with _bar(streams) as hear:
            yield hear
    elif streams.display == "plain":
        yield _Lines(streams).hear
    else:
        yield lambda what, done, total: None


@contextmanager
def _bar(streams: Streams) -> Iterator["OnProgress"]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=streams.err, transient=True) as shown:
        task = shown.add_task("", total=None)

        def hear(what: str, done: int, total: int) -> None:
            if shown.tasks[0].description != what:
                shown.reset(task, description=what)
            shown.update(task, completed=done, total=total or None)

        yield hear


class _Lines:
    """A line every 30 s, and none for what is done sooner."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._what = ""
        self._began = self._last = time.monotonic()

    def hear(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._began = what, now
        if now - self._last < LINE_S:
            return
        self._last = now
        parts = [what]
        if total:
            parts.append(f"{done:,}/{total:,}")
        if total and done:
            parts.append(f"eta {spoken((now - self._began) * (total - done) / done)}")
        self._streams.say(" ".join(parts))
