"""An evaluation planned from the command line and carried out in this process."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from remamber.cli._display import open_display
from remamber.cli._evaluation_plan import Question, place_of, planned
from remamber.cli._progress import Progress
from remamber.cli._settings import Settings, require_writable
from remamber.cli._streams import Streams
from remamber.errors import ExitCode, UserError
from remamber.launch._child import SPIN_COUNT
from remamber.plan.protocols import find_protocol
from remamber.plan.spec import RunSpec
from remamber.record.environment import usable_cores
from remamber.record.event import Event
from remamber.record.schema import Record
from remamber.record.store import Claimed, Store

if TYPE_CHECKING:
    from remamber.runner import Interruption
    from remamber.table.counts import CountsFile


@dataclass(frozen=True)
class Evaluated:
    """What came out of an evaluation."""

    record: Record
    counts: "CountsFile"
    folder: Path
    weights: Path


def answer(question: Question, *, settings: Settings, streams: Streams) -> None:
    """Evaluate, and write what the command line asks for.

    Raises:
        UserError: see ``evaluated``; or a file cannot be written.
    """
    from remamber.cli._evaluation_view import as_document, as_text
    from remamber.table.per_expression import require_format, write_expressions

    path = question.per_expression
    if path is not None:
        require_format(path)
    found = evaluated(question, settings=settings, streams=streams)
    if path is not None:
        rows = write_expressions(found.record, found.counts, path)
        streams.say(f"{rows:,} rows  {path.absolute()}")
    if question.as_json:
        streams.result(json.dumps(as_document(found), indent=1))
    else:
        text = as_text(found, color=streams.color, width=streams.width)
        streams.result(text if not question.slices else "\n".join((text, *_slices(found, streams))))
    streams.insist(f"record  {found.folder / 'record.json'}")


def _slices(found: Evaluated, streams: Streams) -> list[str]:
    from remamber.cli._slices_view import slices_text

    return slices_text(found, color=streams.color, width=streams.width)


def evaluated(question: Question, *, settings: Settings, streams: Streams) -> Evaluated:
    """Plan the evaluation, carry out what is not recorded, and give its record.

    Raises:
        UserError: weights, data, a split or a protocol is not there or does not fit; the user
            stopped it; or it failed, and the record says how.
    """
    # Read once, when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    from remamber.models._evaluable import find_evaluable
    from remamber.table.counts import CountsFile

    for name in question.protocols:
        find_protocol(name)
    require_writable(settings.store, what="the store", option="--store")
    place = place_of(question.checkpoint, settings.store)
    found = find_evaluable(place)
    spec = planned(question, found, place, settings=settings, streams=streams)
    store = Store(settings.store)
    if question.fresh:
        _retire(store, spec)
    if store.find(spec) is None:
        _carry_out(spec, found.path, question, settings=settings, streams=streams)
    record = store.find(spec, any_status=True)
    path = store.counts_path(record) if record is not None else None
    if record is None or path is None:
        raise _failed(record, store.folder(spec))
    return Evaluated(record, CountsFile(record, path), store.folder(spec), found.path)


def _retire(store: Store, spec: RunSpec) -> None:
    try:
        store.retire(spec)
    except Claimed as claimed:
        raise UserError(
            f"it cannot be scored afresh: it is {claimed}",
            fix=["wait for it to end, or leave --fresh out to share its result"],
            exit_code=ExitCode.MISSING,
            slug="claimed",
        ) from claimed


def _carry_out(
    spec: RunSpec, weights: Path, question: Question, *, settings: Settings, streams: Streams
) -> None:
    """Score what is missing, in this process, and show how it goes.

    Raises:
        UserError: what a user can mend, or the user stopped it.
    """
    from remamber.runner import Interruption, Place, Request, execute
    from remamber.tasks._allocator import keep_freed_memory

    root = settings.data_root
    request = Request(
        spec=spec,
        store=str(settings.store),
        place=Place(
            root=str(root) if root is not None else None,
            workers=usable_cores(),
            loaders=settings.workers,
        ),
        command=question.command,
        threads=settings.threads,
        weights=str(weights.absolute()),
    )
    keep_freed_memory()
    last: list[Event] = []
    progress = Progress([weights.name], planned_s=[None])
    interruption = Interruption()
    with open_display(progress, streams) as display, _interrupting(interruption):

        def emit(event: Event) -> None:
            last[:] = [event]
            display.hear(0, event)

        status = execute(request, emit, interruption)
    if status == ExitCode.INTERRUPTED:
        done = f" after {last[0].done:,} expressions" if last and last[0].done else ""
        raise UserError(
            f"stopped{done}; run the same command to go on",
            exit_code=ExitCode.INTERRUPTED,
            slug="interrupted",
        )


@contextmanager
def _interrupting(interruption: "Interruption") -> Iterator[None]:
    """Let Ctrl-C and SIGTERM ask for a stop: what is done is saved first."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interruption.ask) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _failed(record: Record | None, folder: Path) -> UserError:
    reason = (record.error or "").strip().splitlines()[-1:] if record is not None else []
    return UserError(
        "the evaluation failed",
        where=[*reason, f"record  {folder / 'record.json'}"],
        fix=["--batch 1 if memory ran out; else run it again with --debug -vv"],
        exit_code=ExitCode.PARTIAL,
        slug="evaluation_failed",
        path=str(folder),
    )
