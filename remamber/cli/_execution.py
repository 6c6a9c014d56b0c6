"""A study's runs carried out: launched, told about while they run, reported when they end."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from remamber.cli._display import first_line, open_display
from remamber.cli._duration import parse_duration
from remamber.cli._progress import Progress
from remamber.cli._reporting import show, write_report
from remamber.cli._settings import Settings, require_writable
from remamber.cli._streams import Streams
from remamber.cli._study import Study
from remamber.cli._study_data import OnProgress
from remamber.errors import ExitCode, UserError
from remamber.launch import Errand, Launcher, Outcome, Plan, open_launcher
from remamber.plan.study import StudyRuns
from remamber.record.store import Claimed, Store


@dataclass(frozen=True)
class Wish:
    """How the user wants a study to be run and shown.

    Attributes:
        name: the study as it was given.
        command: the whole command line.
        launcher: entry of the launcher shelf.
        jobs: runs at a time; None leaves it to the profile.
        budget_s: seconds for everything, None for the study's own number of steps.
        dry_run: stop after the plan.
        fresh: run again what is recorded.
        fail_fast: stop after the first failure.
        as_json: print a document instead of a table.
        open_page: open the report in a browser.
        single_file: make the HTML page independent of files beside it.
    """

    name: str
    command: str
    launcher: str = "local"
    jobs: int | None = None
    budget_s: float | None = None
    dry_run: bool = False
    fresh: bool = False
    fail_fast: bool = False
    as_json: bool = False
    open_page: bool = False
    single_file: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any], *, command: str) -> "Wish":
        """Those of a command's options that are about running and showing.

        Args:
            options: by the command's argument names.
            command: the whole command line.

        Raises:
            UserError: the budget is not a time.
        """
        names = {field.name for field in fields(cls)} & options.keys()
        budget = options["budget"]
        return cls(
            name=options["study"],
            command=command,
            budget_s=parse_duration(budget) if budget is not None else None,
            **{name: options[name] for name in names},
        )


def launcher_for(wish: Wish, settings: Settings) -> Launcher:
    """The launcher that was asked for, once it is sure that its runs can be kept.

    Raises:
        UserError: there is no such launcher, or a folder cannot be written to.
    """
    launch = open_launcher(wish.launcher)
    require_writable(settings.store, what="the store", option="--store")
    if not wish.dry_run:
        require_writable(settings.out, what="the reports' folder", option="--out")
    return launch


def retire(study: Study, store: Store) -> None:
    """Set the records of all of a study's runs aside, so that they are done again.

    Raises:
        UserError: a live process works on one of them.
    """
    for spec in study.all_specs:
        try:
            store.retire(spec)
        except Claimed as claimed:
            raise UserError(
                f"{study.label(spec)} cannot be run afresh: it is {claimed}",
                fix=["wait for it to end, or leave --fresh out to share its result"],
                exit_code=ExitCode.MISSING,
                slug="claimed",
                path=str(store.folder(spec)),
            ) from claimed


def launch_runs(
    launch: Launcher, study: Study, errand: Errand, plan: Plan, streams: Streams
) -> list[Outcome]:
    """Do the runs of a plan that are not reused, and show how they go."""
    todo = plan.todo()
    if not todo:
        return []
    labels = [study.label(row.spec) for row in todo]
    # The bounds need no model: they are over before an estimate would help.
    planned = [row.seconds if row.spec.task != "bounds" else 0.0 for row in todo]
    progress = Progress(labels, planned_s=planned, jobs=errand.jobs)
    with open_display(progress, streams) as display:
        errand = replace(errand, specs=tuple(r.spec for r in todo), on_event=display.hear)
        return launch(errand)


def tell_commands(
    study: Study, outcomes: Sequence[Outcome], wish: Wish, streams: Streams
) -> ExitCode:
    """Print the commands that were emitted instead of run."""
    commands = [outcome.message for outcome in outcomes]
    if wish.as_json:
        streams.result(json.dumps({"schema_version": 1, "commands": commands}, indent=1))
    elif commands:
        streams.result("\n".join(commands))
    for name in [part.name for part in study.parts] or [wish.name]:
        streams.say(f"when they are done: remamber-bench report {name}")
    return ExitCode.DONE


def conclude(
    study: Study,
    runs: StudyRuns,
    outcomes: Sequence[Outcome],
    wish: Wish,
    *,
    settings: Settings,
    streams: Streams,
) -> ExitCode:
    """Tell what failed, then write and show the report.

    Raises:
        UserError: the user stopped it, or there is not one record to report.
    """
    store = Store(settings.store)
    for outcome in outcomes:
        if outcome.state == "failed":
            _tell_failure(study, outcome, store, streams)
    failed = _failed(outcomes)
    _require_something(study, outcomes, store)
    reports = {p.name: p.runs(wish.command) for p in study.parts} or {wish.name: runs}
    rendered = {}
    for name, part in reports.items():
        store.write_study_runs(part.model_copy(update={"status": "finished"}))
        rendered[name] = write_report(
            name, part, settings=settings, streams=streams, single_file=wish.single_file
        )
    show(rendered, streams, as_json=wish.as_json, open_page=wish.open_page)
    return ExitCode.PARTIAL if failed else ExitCode.DONE


def _require_something(study: Study, outcomes: Sequence[Outcome], store: Store) -> None:
    """Raise a UserError if the user stopped it, or if there is not one record to report."""
    failed = _failed(outcomes)
    stopped = [o for o in outcomes if o.state == "stopped"]
    if stopped or (any(o.state == "skipped" for o in outcomes) and not failed):
        steps = [str(o.step) for o in stopped if o.step]
        where = f" at step{'s' if len(steps) > 1 else ''} {', '.join(steps)}" if steps else ""
        raise UserError(
            f"stopped{where}; run the same command to go on",
            exit_code=ExitCode.INTERRUPTED,
            slug="interrupted",
        )
    if failed and not any(store.find(spec, any_status=True) for spec in study.specs):
        raise UserError(
            f"none of the {len(study.specs)} runs could be done",
            where=[first_line(failed[0].message)],
            fix=["mend what is said above and run the same command again"],
            exit_code=_worst(failed),
            slug="nothing_done",
        )


def _failed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [o for o in outcomes if o.state == "failed"]


def _worst(failed: Sequence[Outcome]) -> ExitCode:
    """One reason for all failures is the command's exit code; different ones are a failure."""
    codes = {o.exit_code for o in failed}
    known = {int(code) for code in ExitCode}
    return ExitCode(codes.pop()) if len(codes) == 1 and codes <= known else ExitCode.PARTIAL


def _tell_failure(study: Study, outcome: Outcome, store: Store, streams: Streams) -> None:
    label = next(study.label(s) for s in study.all_specs if s.run_id == outcome.run_id)
    streams.insist(f"error: {label} failed: {first_line(outcome.message)}")
    details = outcome.message.split("\n")[1:]
    for line in details or outcome.tail:
        streams.insist(f"  {line}")
    log = store.root / outcome.run_id / "stderr.log"
    if log.is_file() and log.stat().st_size:
        streams.insist(f"  log         {log}")


def telling(streams: Streams) -> OnProgress:
    """Progress of something that has no bar of its own: a line at its start and its end."""
    told: dict[str, int] = {}

    def tell(what: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if sys.stderr.isatty() and streams.display == "rich":
            if told.get(what) != done:
                streams.err.print(f"{what} {done}/{total}", end="\r", highlight=False)
                if done == total:
                    streams.say("")
        elif what not in told or done == total or tenth // 5 > told[what] // 5:
            streams.say(f"{what} {done}/{total}")
        told[what] = done if streams.display == "rich" else tenth

    return tell
