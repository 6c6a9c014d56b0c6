"""What ``speed --kernels`` does: plan, one process a shape, report; nothing runs beside another."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from remamber.cli._duration import spoken
from remamber.cli._execution import Wish, conclude, launch_runs, launcher_for, retire, tell_commands
from remamber.cli._settings import Settings
from remamber.cli._streams import Streams
from remamber.cli._study import Study, load_study
from remamber.errors import ExitCode, UserError
from remamber.launch import Errand, Plan, plan_launch
from remamber.plan.spec import KernelsSpec, RunSpec
from remamber.plan.strict_toml import merge, parse_override
from remamber.plan.study import QUICK, Choices
from remamber.record.environment import usable_cores
from remamber.record.schema import Record
from remamber.record.store import Store
from remamber.record.timing_key import kernel_code_key, machine_key

STUDY = "scan_kernels"
SCHEMA_VERSION = 1


def kernel_study(options: Mapping[str, Any], *, threads: int | None) -> Study:
    """The study as the command line wants it, bound to this machine and this code.

    Args:
        options: by the command's argument names: profile, only, device, set_.
        threads: compute threads; all cores if None.

    Raises:
        UserError: unknown profile, shape or key, a bad value, or CUDA where there is none.
    """
    overrides: dict[str, Any] = {}
    for text in options["set_"] or ():
        overrides = merge(overrides, parse_override(text))
    choices = Choices(
        profile=options["profile"] or QUICK,
        only=tuple(options["only"] or ()),
        overrides=overrides,
    )
    study = load_study(STUDY, choices)
    device, accelerator = device_of(options["device"])
    stamp = {
        "device": device,
        "threads": threads or usable_cores(),
        "machine": machine_key(accelerator),
        "code": kernel_code_key(),
    }
    return replace(study, specs=tuple(_stamped(spec, stamp) for spec in study.specs))


def time_kernels(study: Study, wish: Wish, *, settings: Settings, streams: Streams) -> ExitCode:
    """Measure what is not recorded yet and report on all of it.

    Raises:
        UserError: whatever keeps it from starting; a failed run is a row, not an error.
    """
    launch = launcher_for(wish, settings)
    errand = Errand(
        specs=study.specs,
        store=Store(settings.store),
        command=wish.command,
        threads=_kernels(study.specs[0]).threads,
        fail_fast=wish.fail_fast,
    )
    plan = _with_times(plan_launch(errand, sizes={}, fresh=wish.fresh), errand.store)
    text = _plan_text(study, plan, settings)
    if wish.dry_run:
        document = json.dumps(_plan_document(study, plan, settings), indent=1)
        streams.result(document if wish.as_json else text)
        return ExitCode.DONE
    streams.say(text)
    if wish.fresh:
        retire(study, errand.store)
    runs = study.runs(wish.command)
    errand.store.write_study_runs(runs)
    outcomes = launch_runs(launch, study, errand, plan, streams)
    if wish.launcher == "emit":
        return tell_commands(study, outcomes, wish, streams)
    return conclude(study, runs, outcomes, wish, settings=settings, streams=streams)


def device_of(wanted: str | None) -> tuple[str, str]:
    """The device and the accelerator's name; a GPU where there is one, unless told otherwise.

    Raises:
        UserError: an unknown device (exit 2), or CUDA where there is none (exit 3).
    """
    if wanted not in (None, "cpu", "cuda"):
        raise UserError(
            f"--device {wanted}: expected cpu or cuda",
            fix=["--device cpu"],
            slug="unknown_device",
        )
    if wanted == "cpu":
        return "cpu", ""
    import torch

    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    if wanted == "cuda":
        raise UserError(
            f"--device cuda, but torch {torch.__version__} sees no CUDA GPU",
            fix=["install a CUDA build of torch, or run with --device cpu"],
            exit_code=ExitCode.MISSING,
            slug="no_cuda",
        )
    return "cpu", ""


def _stamped(spec: RunSpec, stamp: dict[str, Any]) -> RunSpec:
    kernels = _kernels(spec).model_copy(update=stamp)
    return spec.model_copy(update={"kernels": kernels})


def _kernels(spec: RunSpec) -> KernelsSpec:
    return spec.kernels or KernelsSpec()


def _with_times(plan: Plan, store: Store) -> Plan:
    """The plan with what each run took the last time on such a device, with so many threads."""
    took: dict[tuple[object, ...], float] = {}
    for record in sorted(store.records(), key=_finished):
        if record.status == "ok" and record.spec.kernels is not None:
            took[_kind(record.spec)] = record.wall_s
    rows = [
        row if row.state == "reused" else row._replace(seconds=took.get(_kind(row.spec)))
        for row in plan.rows
    ]
    return replace(plan, rows=tuple(rows))


def _finished(record: Record) -> str:
    return record.finished


def _kind(spec: RunSpec) -> tuple[object, ...]:
    """What the length of a run depends on; the code that is timed matters little."""
    k = _kernels(spec)
    return k.case, k.device, k.cell_s, k.rounds, k.threads, k.machine


def _seconds(plan: Plan) -> float | None:
    known = [row.seconds for row in plan.rows]
    return None if None in known else sum(s for s in known if s is not None)


def _plan_text(study: Study, plan: Plan, settings: Settings) -> str:
    settings_of = _kernels(study.specs[0])
    profile = study.choices.profile
    summary = study.experiment.profiles[profile].summary
    threads = settings_of.threads or 1
    head = [
        f"{study.experiment.title} - profile {profile}: {summary}",
        f"  device  {settings_of.device}, {threads} thread{'s' if threads > 1 else ''}",
        f"  store   {settings.store}",
        f"  report  {settings.out / study.name}.md",
        "",
    ]
    width = max(len("shape"), *(len(study.label(spec)) for spec in study.specs))
    lines = [f"  {'shape':<{width}}  {'state':<7}  {'time':>7}"]
    for row in plan.rows:
        known = row.state != "reused" and row.seconds is not None
        time = spoken(row.seconds) if known else "-"
        lines.append(f"  {study.label(row.spec):<{width}}  {row.state:<7}  {time:>7}")
    return "\n".join([*head, *lines, "", _summary(plan)])


def _summary(plan: Plan) -> str:
    reused = sum(row.state == "reused" for row in plan.rows)
    text = f"{reused} of {len(plan.rows)} reused"
    if reused == len(plan.rows):
        return text
    text += f"; {len(plan.rows) - reused} to do, one after the other"
    seconds = _seconds(plan)
    if seconds is None:
        return text + ", time not known yet"
    return text + f", about {spoken(seconds)} by earlier runs"


def _plan_document(study: Study, plan: Plan, settings: Settings) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.name,
        "profile": study.choices.profile,
        "device": _kernels(study.specs[0]).device,
        "threads": _kernels(study.specs[0]).threads,
        "store": str(settings.store),
        "out": str(settings.out),
        "runs": [
            {
                "run_id": row.spec.run_id,
                "label": study.label(row.spec),
                "state": row.state,
                "seconds": row.seconds,
            }
            for row in plan.rows
        ],
        "seconds": _seconds(plan),
    }
