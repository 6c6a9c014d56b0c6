"""Shelf of launchers: where and in what order the runs of a study are done.

An entry is a function ``(Errand) -> list[Outcome]``. A launcher starts one runner process a run
and only passes on what it says: the store alone decides what is done, so a launcher may be
interrupted, repeated, or run twice at once.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from remamber.datasets import SplitSize
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec, RunSpec, Strict
from remamber.record.event import Event
from remamber.record.store import Store
from remamber.registry import LAUNCHERS

RUNNER = (sys.executable, "-P", "-X", "faulthandler", "-m", "remamber.runner")
"""Isolated from the folder it is started in (-P), and not silent when it crashes (faulthandler)."""

OnTiming = Callable[[int, int], None]
"""Called with how many models are timed, of how many."""

Sizes = Mapping[DataSpec, Mapping[str, SplitSize]]
"""The size of every split, by what a run reads; empty where nothing is known."""

State = Literal["done", "failed", "stopped", "skipped", "emitted"]
OnEvent = Callable[[int, Event], None]
"""Called with the run's number in the errand, from 0, and what the run said."""


@dataclass(frozen=True)
class Errand:
    """The runs to do, and what a launcher needs to know besides.

    Attributes:
        specs: the runs, in the order in which they should start.
        store: where records go and runs are claimed.
        root: the user's data root, if there is one.
        cache: folder for generated data; None means the user's cache folder.
        workers: processes that a run may use to prepare data.
        loaders: processes that decode images for a run; None leaves it to the amount of data.
        command: the user's command line, kept in every record.
        threads: compute threads a run; None leaves it to the runner.
        jobs: runs at a time.
        fail_fast: start no further run after a failure.
        on_event: told of every event of every run.
        runner: the command that runs one request from its standard input.
        weights: sha256 -> the file, of all weights that runs look at.
    """

    specs: tuple[RunSpec, ...]
    store: Store
    root: Path | None = None
    cache: Path | None = None
    workers: int = 1
    loaders: int | None = None
    command: str = ""
    threads: int | None = None
    jobs: int = 1
    fail_fast: bool = False
    on_event: OnEvent = field(default=lambda number, event: None)
    runner: tuple[str, ...] = field(default_factory=lambda: RUNNER)
    weights: Mapping[str, Path] = field(default_factory=dict)


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: done (a good record is there), failed, stopped (resumable), skipped (not started)
            or emitted (left to someone else).
        step: the last step reached, where the run said so.
        message: why it failed or was stopped; the command to paste if it was emitted.
        exit_code: the runner's exit status, for a failure that the user can mend.
        tail: the last lines of the run's standard error, after a failure.
    """

    run_id: str
    state: State
    step: int = 0
    message: str = ""
    exit_code: int = ExitCode.DONE
    tail: tuple[str, ...] = ()


Launcher = Callable[[Errand], list[Outcome]]

RowState = Literal["reused", "resumes", "to do"]


class Cost(Strict):
    """What a step and a start of a run cost on this machine.

    ``overhead_s`` is everything but the training steps: start, data, evaluation; None where it
    was not measured yet. ``start_s`` is the start alone.
    """

    parameters: int
    step_s: float
    start_s: float
    overhead_s: float | None = None
    source: Literal["records", "calibration"] = "calibration"


class PlanRow(NamedTuple):
    """One run of a plan; what is not known is None."""

    spec: RunSpec
    state: RowState
    steps: int | None
    cost: Cost | None
    seconds: float | None


def makespan(durations: Sequence[float], jobs: int) -> float:
    """When the last of some runs ends if each starts, in order, where the first of others ends."""
    ends = [0.0] * max(1, jobs)
    for duration in durations:
        ends[ends.index(min(ends))] += duration
    return max(ends)


@dataclass(frozen=True)
class Plan:
    """What a launch would do, before it does it.

    Attributes:
        rows: every run in order.
        sizes: of the splits of all data; for epochs and the time of evaluation.
        jobs: runs at a time.
    """

    rows: tuple[PlanRow, ...]
    sizes: Sizes
    jobs: int = 1

    @property
    def seconds(self) -> float | None:
        """Estimated time until the last run ends; None where a part is not known."""
        models = [row for row in self.rows if row.spec.train or row.spec.weights]
        seconds = [row.seconds for row in models]
        known = [s for s in seconds if s is not None]
        return makespan(known, self.jobs) if len(known) == len(seconds) else None

    def todo(self) -> list[PlanRow]:
        """The rows that are not reused."""
        return [row for row in self.rows if row.state != "reused"]


def plan_launch(
    errand: Errand,
    *,
    sizes: Sizes,
    timing: bool = False,
    fresh: bool = False,
    on_timing: OnTiming = lambda done, total: None,
) -> Plan:
    """What a launch would do, and how long it would take as far as that is known.

    Args:
        errand: the runs and their store.
        sizes: of every split of all data.
        timing: time a few steps of every model that this machine has no record of.
        fresh: nothing would be reused.
        on_timing: told while models are timed.
    """
    # Inside, because the parts need the words defined above.
    from remamber.launch._costs import known_costs, timed_costs
    from remamber.launch._plan import make_plan

    costs = known_costs(errand)
    if timing:
        costs = timed_costs(errand, costs, on_timing=on_timing)
    return make_plan(errand, costs, sizes=sizes, fresh=fresh)


def require_budget(budget_s: float) -> None:
    """Refuse at once, before anything is timed, a time in which no study can end.

    Raises:
        UserError: the time is too short whatever a step takes.
    """
    from remamber.launch._plan import REPORT_S

    if budget_s <= REPORT_S:
        raise UserError(
            f"a budget of {budget_s:.0f} s is too small: {REPORT_S:.0f} s of it are set aside"
            " for the report",
            fix=["--budget 10m"],
            slug="budget_too_small",
        )


def steps_within(errand: Errand, plan: Plan, *, budget_s: float, fresh: bool = False) -> int:
    """One number of training steps for every row, so that all fit into a time.

    Args:
        errand: the runs and their store, which remembers the answer.
        plan: made with ``timing``.
        budget_s: seconds for everything.
        fresh: forget the answer given before.

    Raises:
        UserError: the time is too short, or a model could not be timed.
    """
    from remamber.launch._plan import remembered_steps

    return remembered_steps(errand, plan, budget_s=budget_s, fresh=fresh)


def open_launcher(name: str) -> Launcher:
    """The launcher of that name.

    Raises:
        UserError: no such launcher; the message lists the known ones.
    """
    launcher: Launcher = LAUNCHERS.get(name)
    return launcher
