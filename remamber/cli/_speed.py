"""What ``speed`` does for models: plan, one group after the other, report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from remamber.cli._display import Display, open_display
from remamber.cli._duration import spoken
from remamber.cli._execution import Wish, conclude, launcher_for, retire, tell_commands
from remamber.cli._progress import Progress
from remamber.cli._settings import Settings
from remamber.cli._speed_study import chain_of, report_stem, settings_of
from remamber.cli._streams import Streams
from remamber.cli._study import Study
from remamber.errors import ExitCode
from remamber.launch import Errand, Launcher, OnEvent, Outcome
from remamber.plan.spec import RunSpec
from remamber.plan.speed import model_labels
from remamber.record.schema import Record
from remamber.record.store import Store

SCHEMA_VERSION = 1
LOST = ("oom", "skipped_oom")
"""How a model ended that is not tried on a larger image."""


def time_models(
    study: Study, wish: Wish, *, skip_oom: bool, settings: Settings, streams: Streams
) -> ExitCode:
    """Measure what is not recorded yet and report on all of it.

    Args:
        study: the groups, sizes of one condition ascending.
        wish: how to run and to show it.
        skip_oom: leave out, on larger images, a model that ran out of memory.
        settings: where records and reports go.
        streams: where to write.

    Raises:
        UserError: whatever keeps it from starting; a failed run is a row, not an error.
    """
    launch = launcher_for(wish, settings)
    store = Store(settings.store)
    groups = Groups(study, store, skip_oom=skip_oom, fresh=wish.fresh)
    if wish.dry_run:
        document = json.dumps(groups.document(settings), indent=1)
        streams.result(document if wish.as_json else groups.text(settings))
        return ExitCode.DONE
    streams.say(groups.text(settings))
    errand = Errand(
        specs=study.specs,
        store=store,
        root=settings.data_root,
        command=wish.command,
        threads=settings_of(study.specs[0]).threads,
        fail_fast=wish.fail_fast,
    )
    outcomes = groups.launch(launch, errand, wish, streams)
    done = replace(study, specs=tuple(groups.specs))
    if wish.launcher == "emit":
        return tell_commands(done, outcomes, wish, streams)
    runs = done.runs(wish.command).model_copy(update={"report": report_stem(study), "datasets": {}})
    return conclude(done, runs, outcomes, wish, settings=settings, streams=streams)


class Groups:
    """The groups of a command, as they come to be run: larger ones without what did not fit."""

    def __init__(self, study: Study, store: Store, *, skip_oom: bool, fresh: bool) -> None:
        self.study, self.store = study, store
        self.skip_oom, self.fresh = skip_oom, fresh
        self.specs = list(study.specs)
        for number in range(len(self.specs)):
            self.specs[number] = self._narrowed(number)

    def launch(
        self, launch: Launcher, errand: Errand, wish: Wish, streams: Streams
    ) -> list[Outcome]:
        """Run what is not recorded, one group after the other."""
        if wish.launcher == "emit":
            todo = [spec for spec in self.specs if self._recorded(spec) is None]
            return launch(replace(errand, specs=tuple(todo)))
        todo_numbers = [n for n, s in enumerate(self.specs) if self._recorded(s) is None]
        labels = [self.study.rows[n] for n in todo_numbers]
        progress = Progress(labels, planned_s=[self.seconds(self.specs[n]) for n in todo_numbers])
        outcomes: list[Outcome] = []
        if not todo_numbers:
            return outcomes
        fresh, self.fresh = self.fresh, False
        with open_display(progress, streams) as display:
            for place, number in enumerate(todo_numbers):
                spec = self.specs[number] = self._narrowed(number)
                if fresh:
                    row = (self.study.rows[number],)
                    retire(replace(self.study, specs=(spec,), rows=row), self.store)
                one = replace(
                    errand,
                    specs=(spec,),
                    on_event=_passed_on(display, place),
                )
                outcomes += launch(one)
                ended = outcomes[-1].state
                if ended in ("stopped", "skipped") or (ended == "failed" and wish.fail_fast):
                    rest = todo_numbers[place + 1 :]
                    outcomes += [Outcome(self.specs[n].run_id, "skipped") for n in rest]
                    break
        return outcomes

    def text(self, settings: Settings) -> str:
        """The plan for people."""
        study, first = self.study, settings_of(self.study.specs[0])
        names = model_labels(first.models)
        threads = first.threads or 1
        head = [
            f"{study.experiment.title}: {', '.join(names.values())}",
            f"  models  {', '.join(dict.fromkeys(m.size for m in first.models))}",
            f"  as      {', '.join(first.condition())}, {threads} thread{'s'[: threads > 1]}",
            f"  store   {settings.store}",
            f"  report  {settings.out / report_stem(study)}.md",
            "",
        ]
        width = max(len(row) for row in (*study.rows, "group"))
        lines = [f"  {'group':<{width}}  {'state':<7}  {'time':>7}"]
        for spec, row in zip(self.specs, study.rows, strict=True):
            known = self.seconds(spec) if self._recorded(spec) is None else None
            time = spoken(known) if known is not None else "-"
            lines.append(f"  {row:<{width}}  {self._state(spec):<7}  {time:>7}")
        return "\n".join([*head, *lines, "", self._summary()])

    def document(self, settings: Settings) -> dict[str, Any]:
        """The plan for a program."""
        return {
            "schema_version": SCHEMA_VERSION,
            "study": self.study.name,
            "store": str(settings.store),
            "report": report_stem(self.study),
            "runs": [
                {
                    "run_id": spec.run_id,
                    "label": row,
                    "models": list(model_labels(settings_of(spec).models).values()),
                    "image_size": settings_of(spec).image_size,
                    "condition": list(settings_of(spec).condition()),
                    "state": self._state(spec),
                    "seconds": self.seconds(spec),
                }
                for spec, row in zip(self.specs, self.study.rows, strict=True)
            ],
        }

    def seconds(self, spec: RunSpec) -> float | None:
        """What such a group took the last time on such a machine, whatever the code was."""
        took = {
            _kind(record.spec): record.wall_s
            for record in sorted(self._records, key=lambda r: r.finished)
            if record.status == "ok" and record.spec.speed is not None
        }
        return took.get(_kind(spec))

    @cached_property
    def _records(self) -> Sequence[Record]:
        return self.store.records()

    def _narrowed(self, number: int) -> RunSpec:
        """A group with those models skipped that ran out of memory on a smaller image."""
        spec = self.study.specs[number]
        if not self.skip_oom:
            return spec
        lost: dict[str, None] = {}
        for before, original in zip(self.specs[:number], self.study.specs[:number], strict=True):
            record = self._recorded(before) if chain_of(original) == chain_of(spec) else None
            for name, value in (record.data if record is not None else {}).items():
                if name.startswith("status ") and value in LOST:
                    lost[name.removeprefix("status ")] = None
        speed = settings_of(spec).model_copy(update={"skipped": tuple(lost)})
        return spec.model_copy(update={"speed": speed})

    def _recorded(self, spec: RunSpec) -> Record | None:
        return None if self.fresh else self.store.find(spec)

    def _state(self, spec: RunSpec) -> str:
        return "to do" if self._recorded(spec) is None else "reused"

    def _summary(self) -> str:
        todo = [spec for spec in self.specs if self._recorded(spec) is None]
        total = len(self.specs)
        text = f"{total - len(todo)} of {total} reused"
        if not todo:
            return text
        text += f"; {len(todo)} to do, one after the other"
        seconds = [self.seconds(spec) for spec in todo]
        known = [s for s in seconds if s is not None]
        if len(known) < len(seconds):
            return text + ", time not known yet"
        return text + f", about {spoken(sum(known))} by earlier runs"


def _passed_on(display: Display, place: int) -> OnEvent:
    """What the only run of a launch says, to its place among all groups."""
    return lambda _, event: display.hear(place, event)


def _kind(spec: RunSpec) -> tuple[object, ...]:
    """What the length of a group depends on; the code that is timed matters little."""
    s = settings_of(spec)
    return s.model_copy(update={"code": ""}), spec.scan_backend
