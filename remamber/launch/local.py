"""Launcher ``local``: a queue of processes on this machine, one a run."""

import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from remamber.errors import ExitCode
from remamber.launch import Errand, Outcome
from remamber.launch._child import Child, request
from remamber.launch._death import how_it_ended, record_death
from remamber.plan.spec import RunSpec
from remamber.record.event import Event, EventKind
from remamber.registry import LAUNCHERS

register = LAUNCHERS.register

_POLL_S = 0.05
_STOPPING = "stopping once the step is saved; Ctrl-C again ends it at once, unsaved"


@register("local")
def local(errand: Errand) -> list[Outcome]:
    """Processes on this machine, one a run, as many at a time as --jobs says."""
    session = _Queue(errand)
    with _interrupts() as count:
        while session.busy():
            session.heed(count())
            session.advance()
    return session.outcomes()


class _Queue:
    """Waiting runs, running children and finished outcomes, by the run's number."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.waiting = deque(range(len(errand.specs)))
        self.running: dict[int, Child] = {}
        self.finished: dict[int, Outcome] = {}
        self.last: dict[int, Event] = {}
        self.interrupts = 0

    def busy(self) -> bool:
        return bool(self.waiting or self.running)

    def heed(self, interrupts: int) -> None:
        """Once: ask every child to save and end. Twice: end them at once."""
        if interrupts == self.interrupts:
            return
        self.interrupts = interrupts
        self._skip_the_rest()
        for number, child in self.running.items():
            if interrupts == 1:
                self._tell(number, self._said(number, "note", _STOPPING))
                child.stop()
            else:
                child.kill()

    def advance(self) -> None:
        while self.waiting and len(self.running) < self.errand.jobs:
            number = self.waiting.popleft()
            self.running[number] = self._start(number)
        moved = False
        for number, child in list(self.running.items()):
            over = child.ended()
            moved = self._pass_on(number, child) or over or moved
            if over:
                self._finish(number, child)
        if not moved:
            time.sleep(_POLL_S)

    def outcomes(self) -> list[Outcome]:
        return [self.finished[number] for number in range(len(self.errand.specs))]

    def _start(self, number: int) -> Child:
        spec = self.errand.specs[number]
        self._tell(number, Event(kind="prepare", run_id=spec.run_id, what="starting"))
        stderr = self.errand.store.folder(spec) / "stderr.log"
        return Child(self.errand.runner, request=request(spec, self.errand), stderr=stderr)

    def _pass_on(self, number: int, child: Child) -> bool:
        passed = False
        while True:
            try:
                event = child.events.get_nowait()
            except queue.Empty:
                return passed
            self._tell(number, event)
            passed = True

    def _tell(self, number: int, event: Event) -> None:
        if event.kind in ("step", "saved", "finished", "failed", "stopped", "start"):
            self.last[number] = event
        self.errand.on_event(number, event)

    def _finish(self, number: int, child: Child) -> None:
        del self.running[number]
        spec = self.errand.specs[number]
        outcome = _outcome(spec, child, self.last.get(number), interrupted=self.interrupts > 0)
        if outcome.state == "failed" and self._last_kind(number) != "failed":
            outcome = record_death(self.errand, spec, outcome, started=child.started)
            if outcome.state == "failed":
                self._tell(number, self._said(number, "failed", outcome.message))
        if outcome.state == "done" and self._last_kind(number) != "finished":
            self._tell(number, Event(kind="finished", run_id=spec.run_id))
        self.finished[number] = outcome
        if outcome.state == "failed" and self.errand.fail_fast:
            self._skip_the_rest()

    def _said(self, number: int, kind: Literal["note", "failed"], message: str) -> Event:
        what = "error" if kind == "failed" else ""
        run_id = self.errand.specs[number].run_id
        return Event(kind=kind, run_id=run_id, what=what, message=message)

    def _last_kind(self, number: int) -> EventKind | None:
        return self.last[number].kind if number in self.last else None

    def _skip_the_rest(self) -> None:
        for number in self.waiting:
            self.finished[number] = Outcome(self.errand.specs[number].run_id, "skipped")
        self.waiting.clear()


def _outcome(spec: RunSpec, child: Child, last: Event | None, *, interrupted: bool) -> Outcome:
    status = child.process.returncode
    step = last.done if last is not None else 0
    if status == 0:
        return Outcome(spec.run_id, "done", step=step)
    if status == ExitCode.INTERRUPTED or (interrupted and status < 0):
        return Outcome(spec.run_id, "stopped", step=step, message="interrupted")
    explained = last is not None and last.kind == "failed"
    message = last.message if last is not None and explained else how_it_ended(status)
    return Outcome(
        spec.run_id, "failed", step=step, message=message, exit_code=status, tail=child.tail()
    )


@contextmanager
def _interrupts() -> Iterator[Callable[[], int]]:
    """Count SIGINT and SIGTERM instead of raising in the middle of anything."""
    count = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
