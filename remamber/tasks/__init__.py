"""Shelf of tasks: kinds of measurement. A task turns a run spec into measured numbers.

An entry is a function ``(RunSpec, TaskContext) -> Outcome``. It knows nothing of stores and
records; the runner writes down what it returns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from remamber.datasets import DataPlace
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import Measurement
from remamber.registry import TASKS


@dataclass(frozen=True)
class TaskContext:
    """What a task may use besides its spec.

    Attributes:
        folder: where it may keep what it needs to go on after it was stopped.
        place: where data are.
        emit: told of progress.
        should_stop: true when the task shall save what it needs to go on and raise Stopped.
        checkpoint_s: seconds between two checkpoints.
        weights: the file that an evaluation's weights are in.
    """

    folder: Path
    place: DataPlace
    emit: Callable[[Event], None]
    should_stop: Callable[[], bool]
    checkpoint_s: float = 20.0
    weights: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a task measured.

    Attributes:
        measurements: every number, in base units.
        curves: name -> (step, value) pairs.
        counts: content of the npz with the integer counts of every scored expression.
        arrays: content of the npz with what figures are drawn from; see ``_arrays.packed_arrays``.
        data: what was read: name, fingerprint, expressions, unknown words.
        device: "cpu" or the accelerator's name.
        scan_backend: the scan implementation that ran, "none" if no scan did.
        warnings: what a reader of the numbers should know.
        details: further facts for the environment, such as the threading layer.
        superseded: files that nobody needs once the record is written.
    """

    measurements: tuple[Measurement, ...]
    curves: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    counts: bytes | None = None
    arrays: bytes | None = None
    data: dict[str, str | int | float] = field(default_factory=dict)
    device: str = "cpu"
    scan_backend: str = "none"
    warnings: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)
    superseded: tuple[Path, ...] = ()


class Stopped(Exception):  # noqa: N818 - not an error: the run goes on another time
    """The task was asked to stop and has saved what it needs to go on.

    Args:
        step: the last step that is saved.
    """

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


Task = Callable[[RunSpec, TaskContext], Outcome]


def find_task(name: str) -> Task:
    """The task of that name; UserError names the nearest if there is none."""
    task: Task = TASKS.get(name)
    return task
