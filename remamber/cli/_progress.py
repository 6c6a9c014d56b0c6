"""What is known of the runs under way: steps, values, and when they will be done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from remamber.cli._duration import spoken
from remamber.record.event import Event

SMOOTHING = 0.1
"""Weight of the newest step in the moving average of the time a step takes."""


@dataclass
class RunProgress:
    """One run; times are seconds of one clock, ``per_step`` includes validation."""

    label: str
    planned_s: float | None
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    what: str = ""
    done: int = 0
    total: int = 0
    values: dict[str, float] = field(default_factory=dict)
    message: str = ""
    per_step: float | None = None
    started: float | None = None
    ended: float | None = None
    last_step: tuple[int, float] | None = None
    scored: list[tuple[int, float]] = field(default_factory=list)

    def took(self, now: float) -> float:
        """Seconds since it was started, until now or its end."""
        if self.started is None:
            return 0.0
        return (now if self.ended is None else self.ended) - self.started

    def eta(self, now: float) -> float | None:
        """Seconds until the last step, as the steps so far suggest."""
        if self.per_step is None or not self.total:
            return None
        since = now - self.last_step[1] if self.last_step is not None else 0.0
        return max(0.0, (self.total - self.done) * self.per_step - since)

    def line(self, now: float) -> str:
        """``step 340/700 loss 0.61 mIoU 38.2 0.11 s/step eta 3m52s``, as far as it is known."""
        if self.what:
            counted = f" {self.done}/{self.total}" if self.total else ""
            left = self._scoring_eta(now)
            return f"{self.what}{counted}" + (f" eta {spoken(left)}" if left is not None else "")
        parts = [f"step {self.done}/{self.total}", *shown(self.values)]
        if self.per_step is not None:
            parts.append(f"{self.values.get('step_s', self.per_step):.2f} s/step")
            parts.append(f"eta {spoken(self.eta(now))}")
        return " ".join(parts)

    def _scoring_eta(self, now: float) -> float | None:
        """Seconds until everything is scored, as the mean pace since the second batch suggests."""
        if len(self.scored) < 2:
            return None
        (first, began), (last, ended) = self.scored
        pace = (ended - began) / (last - first)
        return max(0.0, (self.total - last) * pace - (now - ended))


class Progress:
    """All runs of a launch.

    Args:
        labels: what each run is called.
        planned_s: the plan's estimate for each, None where there is none.
        jobs: runs at a time.
    """

    def __init__(
        self, labels: Sequence[str], *, planned_s: Sequence[float | None], jobs: int = 1
    ) -> None:
        pairs = zip(labels, planned_s, strict=True)
        self.runs = [RunProgress(label, seconds) for label, seconds in pairs]
        self.jobs = max(1, jobs)

    def name(self, number: int) -> str:
        """``[2/5 channel-spatial]``."""
        return f"[{number + 1}/{len(self.runs)} {self.runs[number].label}]"

    def hear(self, number: int, event: Event, *, now: float) -> None:
        """Take in what a run said."""
        run = self.runs[number]
        match event.kind:
            case "prepare" | "evaluate" | "waiting":
                self._begin(run, now)
                words = {"prepare": event.what, "evaluate": f"scoring {event.what}"}
                run.what = words.get(event.kind, "waiting: another process does this run")
                run.done, run.total = event.done, event.total
                _score(run, event, now)
            case "start" | "step":
                self._begin(run, now)
                _step(run, event, now)
            case "finished":
                _end(run, "done", now)
                run.values = event.values or run.values
            case "failed":
                _end(run, "failed", now)
                run.message = event.message
            case "stopped":
                _end(run, "stopped", now)
                run.done = event.done
            case _:
                run.message = event.message or run.message

    def finished(self) -> int:
        """How many runs are over; one that was stopped is not."""
        return sum(run.state in ("done", "failed") for run in self.runs)

    def stopped(self) -> bool:
        """Whether the user has stopped it, so that nothing more will start."""
        return any(run.state == "stopped" for run in self.runs)

    def eta(self, now: float) -> float | None:
        """Seconds until everything is done; None until a run has shown its pace."""
        # What is planned as nothing, such as the bounds, says nothing of the others.
        known = [run.planned_s for run in self.runs if run.planned_s]
        took = [r.took(now) for r in self.runs if r.state == "done" and r.planned_s != 0.0]
        steps = [r.per_step * r.total for r in self.runs if r.per_step and r.total]
        typical = next((sum(s) / len(s) for s in (took, known, steps) if s), None)
        if typical is None:
            return None
        left = 0.0
        for run in self.runs:
            if run.state == "waiting":
                left += run.planned_s if run.planned_s is not None else typical
            elif run.state == "running":
                expected = run.planned_s if run.planned_s is not None else typical
                left += max(run.eta(now) or 0.0, expected - run.took(now), 0.0)
        return left / self.jobs

    def _begin(self, run: RunProgress, now: float) -> None:
        if run.state == "waiting":
            run.state, run.started = "running", now


def shown(values: dict[str, float]) -> list[str]:
    """Loss as it is, IoUs as percentages; the rest is for the report."""
    parts = [f"loss {values['loss']:.2f}"] if "loss" in values else []
    metrics = [n for n in values if n.endswith("IoU")]
    return parts + [f"{name} {100 * values[name]:.1f}" for name in metrics]


def _step(run: RunProgress, event: Event, now: float) -> None:
    run.what = ""
    run.done, run.total = event.done, event.total
    run.values = run.values | event.values
    if run.last_step is not None and event.done > run.last_step[0]:
        new = (now - run.last_step[1]) / (event.done - run.last_step[0])
        old = run.per_step
        run.per_step = new if old is None else old + SMOOTHING * (new - old)
    run.last_step = (event.done, now)


def _score(run: RunProgress, event: Event, now: float) -> None:
    """Keep the first and the last report of what is being scored."""
    if event.kind != "evaluate" or (run.scored and event.done <= run.scored[-1][0]):
        run.scored = []
    if event.kind == "evaluate":
        run.scored = [*run.scored[:1], (event.done, now)]


def _end(run: RunProgress, state: Literal["done", "failed", "stopped"], now: float) -> None:
    run.started = now if run.started is None else run.started
    run.state, run.ended, run.what = state, now, ""
