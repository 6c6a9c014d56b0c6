"""One spec to one record: skip it if it is done, run it, or record how it failed.

``python -m remamber.runner`` reads a request as JSON on stdin and answers with one ``Event`` as
a JSON line on stdout for everything that happens, so that a launcher in another process, or on
another machine, needs nothing of torch. SIGINT, SIGTERM and a closed stdout all mean the same:
finish the step, save it, stop.
"""

import contextlib
import logging
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Literal

from remamber.datasets import DataPlace
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import RunSpec, Strict
from remamber.record.claim import Claimed
from remamber.record.environment import code_checkout, environment
from remamber.record.event import Event
from remamber.record.schema import SIDE_BY_SIDE, Record, Status
from remamber.record.sessions import Stopwatch
from remamber.record.store import Store
from remamber.tasks import Outcome, Stopped, TaskContext, find_task
from remamber.tasks._allocator import keep_freed_memory

_TRACEBACK_LINES = 30
_POLL_S = 1.0
_PREPARE_S = 0.5

_log = logging.getLogger(__name__)
Emit = Callable[[Event], None]


class Place(Strict):
    """Where data may be found or made; see ``DataPlace``."""

    root: str | None = None
    cache: str | None = None
    workers: int = 1
    loaders: int | None = None


class Request(Strict):
    """What a launcher asks of a runner.

    Attributes:
        action: run the spec, or time a few of its steps.
        spec: the run.
        store: folder of the store.
        place: where data are.
        command: what the user typed, for the record.
        threads: compute threads; None leaves torch's choice.
        jobs: runs that the launcher has side by side, for the record.
        checkpoint_s: seconds between two checkpoints.
        weights: the file whose weights are evaluated.
    """

    action: Literal["run", "calibrate"] = "run"
    spec: RunSpec
    store: str
    place: Place = Place()
    command: str = ""
    threads: int | None = None
    jobs: int = 1
    checkpoint_s: float = 20.0
    weights: str | None = None


class Interruption:
    """Set once by a signal or by a launcher that has gone away; asked after every step."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked.is_set()

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Ask for a stop; usable as a signal handler."""
        self._asked.set()


def execute(request: Request, emit: Emit, interruption: Interruption) -> ExitCode:
    """Do what a request asks for; every outcome but an interruption leaves a record.

    Raises:
        UserError: what a user can mend, such as missing data; no record is left.
    """
    if request.action == "calibrate":
        return _calibrate(request, emit, interruption)
    store = Store(Path(request.store))
    with _claimed(request, store, emit, interruption) as record:
        if interruption():
            emit(Event(kind="stopped", run_id=request.spec.run_id))
            return ExitCode.INTERRUPTED
        if record is not None:
            emit(Event(kind="finished", run_id=record.run_id, message="already recorded"))
            return ExitCode.DONE
        return _run(request, store, emit, interruption)


@contextlib.contextmanager
def _claimed(
    request: Request, store: Store, emit: Emit, interruption: Interruption
) -> Iterator[Record | None]:
    """Hold the run, waiting for another process that does; give the record if it is done."""
    spec, told = request.spec, False
    while not interruption():
        try:
            with store.claim(spec):
                yield store.find(spec)
                return
        except Claimed as held:
            if not told:
                emit(Event(kind="waiting", run_id=spec.run_id, message=str(held)))
                told = True
            time.sleep(_POLL_S)
    yield None


def _run(request: Request, store: Store, emit: Emit, interruption: Interruption) -> ExitCode:
    spec = request.spec
    watch, started = Stopwatch(store.folder(spec)), _now()
    # Remembered now: the record is of the code that was loaded, not of a commit made meanwhile.
    code_checkout()
    outcome, error = Outcome(measurements=()), None
    status: Status = "ok"
    context, threads = _context(request, store, _saving(watch, emit), interruption), 1
    try:
        threads = _set_threads(request)
        outcome = find_task(spec.task)(spec, context)
    except Stopped as stopped:
        watch.save()
        emit(Event(kind="stopped", run_id=spec.run_id, done=stopped.step))
        return ExitCode.INTERRUPTED
    except UserError:
        raise
    except Exception as failure:  # noqa: BLE001 - a failure of any kind is a row of the table
        status, error = _status_of(failure), _tail_of(failure)
        _log.exception("run %s failed", spec.run_id)
        emit(Event(kind="failed", run_id=spec.run_id, what=status, message=error.splitlines()[-1]))
    record = Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status=status,
        error=error,
        command=request.command,
        started=started,
        finished=_now(),
        wall_s=watch.seconds,
        environment=environment(
            device=outcome.device,
            threads=threads,
            scan_backend=outcome.scan_backend,
            details={**outcome.details, SIDE_BY_SIDE: str(request.jobs)},
        ),
        data=outcome.data,
        measurements=outcome.measurements,
        curves=outcome.curves,
        warnings=outcome.warnings,
    )
    store.write_record(record, counts=outcome.counts, arrays=outcome.arrays)
    _clear_up(watch, outcome)
    if status != "ok":
        return ExitCode.PARTIAL
    emit(Event(kind="finished", run_id=spec.run_id, values=_lead_values(record)))
    return ExitCode.DONE


def _saving(watch: Stopwatch, emit: Emit) -> Emit:
    """Keeps the time with every checkpoint: what is lost with a killed session is not counted."""

    def tell(event: Event) -> None:
        if event.kind == "saved":
            watch.save()
        emit(event)

    return tell


def _clear_up(watch: Stopwatch, outcome: Outcome) -> None:
    watch.forget()
    for path in outcome.superseded:
        path.unlink(missing_ok=True)


def _lead_values(record: Record) -> dict[str, float]:
    lead = {"split": record.spec.data.splits[0]}
    return {m.metric: m.value for m in record.measurements if m.where == lead}


def _calibrate(request: Request, emit: Emit, interruption: Interruption) -> ExitCode:
    from remamber.tasks._calibration import calibrate

    _set_threads(request)
    context = _context(request, Store(Path(request.store)), emit, interruption)
    try:
        values = calibrate(request.spec, context)
    except Stopped:
        return ExitCode.INTERRUPTED
    emit(Event(kind="calibrated", run_id=request.spec.run_id, values=values))
    return ExitCode.DONE


def _context(request: Request, store: Store, emit: Emit, interruption: Interruption) -> TaskContext:
    return TaskContext(
        folder=store.folder(request.spec),
        place=_data_place(request, emit),
        emit=emit,
        should_stop=interruption,
        checkpoint_s=request.checkpoint_s,
        weights=Path(request.weights) if request.weights else None,
    )


def _data_place(request: Request, emit: Emit) -> DataPlace:
    place, run_id = request.place, request.spec.run_id
    last = 0.0

    def on_progress(what: str, done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= _PREPARE_S:
            last = time.monotonic()
            emit(Event(kind="prepare", run_id=run_id, what=what, done=done, total=total))

    return DataPlace(
        root=Path(place.root) if place.root else None,
        cache=Path(place.cache) if place.cache else None,
        workers=place.workers,
        loaders=place.loaders,
        on_progress=on_progress,
    )


def _set_threads(request: Request) -> int:
    """Threads that the run computes with; a task without a model needs no torch, and one thread."""
    spec = request.spec
    if not (spec.train or spec.kernels or spec.weights or spec.speed):
        return 1
    import torch

    if request.threads is not None:
        torch.set_num_threads(request.threads)
    return torch.get_num_threads()


def _status_of(failure: Exception) -> Status:
    # By name: torch raises its own error on a GPU and a RuntimeError on a CPU.
    out_of_memory = type(failure).__name__ in ("OutOfMemoryError", "MemoryError")
    return "oom" if out_of_memory or "DefaultCPUAllocator" in str(failure) else "error"


def _tail_of(failure: Exception) -> str:
    lines = "".join(traceback.format_exception(failure)).rstrip().splitlines()
    return "\n".join(lines[-_TRACEBACK_LINES:])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def main() -> int:
    """Serve one request from stdin; the exit status is that of the commands."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    keep_freed_memory()
    interruption = Interruption()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption.ask)
    request = Request.model_validate_json(sys.stdin.buffer.read())

    def emit(event: Event) -> None:
        try:
            sys.stdout.write(event.model_dump_json(exclude_defaults=True) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            interruption.ask()
            # Nothing more can be said; the interpreter would complain of it at exit.
            sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115

    try:
        return int(execute(request, emit, interruption))
    except UserError as error:
        message = "\n".join([error.what, *(f"  {line}" for line in error.where), *error.fix])
        emit(Event(kind="failed", run_id=request.spec.run_id, what=error.slug, message=message))
        return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main())
