"""What ``ablate`` does: data, plan, runs, report; each step tells the user on standard error."""

import json
from dataclasses import replace

from remamber.cli._execution import (
    Wish,
    conclude,
    launch_runs,
    launcher_for,
    retire,
    tell_commands,
    telling,
)
from remamber.cli._mask_examples import with_examples
from remamber.cli._plan_view import plan_document, plan_text
from remamber.cli._settings import Settings
from remamber.cli._streams import Streams
from remamber.cli._study import Study, with_steps
from remamber.cli._study_data import with_data
from remamber.cli._trained import on_other_data, weights_files
from remamber.errors import ExitCode, UserError
from remamber.launch import (
    Errand,
    Plan,
    plan_launch,
    require_budget,
    steps_within,
)
from remamber.record.environment import usable_cores
from remamber.record.store import Store


def ablation(study: Study, wish: Wish, *, settings: Settings, streams: Streams) -> ExitCode:
    """Run a study and report on it.

    Raises:
        UserError: whatever keeps it from starting; a failed run is a row, not an error.
    """
    _require_training(study, wish)
    launch = launcher_for(wish, settings)
    study = with_data(
        study,
        root=settings.data_root,
        workers=usable_cores(),
        on_progress=telling(streams),
        download=settings.download,
    )
    for line in on_other_data(study.specs, study.trained):
        streams.insist(f"warning: {line}")
    study = with_examples(study, Store(settings.store))
    for line in on_other_data(study.specs, study.trained):
        streams.insist(f"warning: {line}")
    study = with_examples(study, Store(settings.store))
    errand = _errand(study, wish, settings)
    study, errand, plan = _planned(study, errand, wish, streams)
    if wish.dry_run:
        document = json.dumps(plan_document(study, plan, settings), indent=1)
        text = plan_text(study, plan, settings, errand=errand, timed=True)
        streams.result(document if wish.as_json else text)
        return ExitCode.DONE
    streams.say(plan_text(study, plan, settings, errand=errand, timed=False))
    if wish.fresh:
        retire(study, errand.store)
    runs = study.runs(wish.command)
    for part in study.parts or (study,):
        errand.store.write_study_runs(part.runs(wish.command))
    outcomes = launch_runs(launch, study, errand, plan, streams)
    if wish.launcher == "emit":
        return tell_commands(study, outcomes, wish, streams)
    return conclude(study, runs, outcomes, wish, settings=settings, streams=streams)


def _require_training(study: Study, wish: Wish) -> None:
    """Raise a UserError if a time is to be filled by a study that trains nothing."""
    if wish.budget_s is not None and study.trained:
        raise UserError(
            f"--budget chooses training steps, and study '{study.name}' looks at trained weights",
            fix=["leave --budget out"],
            slug="nothing_to_train",
        )


def _errand(study: Study, wish: Wish, settings: Settings) -> Errand:
    profile = study.experiment.profiles[study.choices.profile]
    jobs = wish.jobs or profile.jobs
    return Errand(
        specs=study.all_specs,
        store=Store(settings.store),
        root=settings.data_root,
        workers=max(1, usable_cores() // jobs),
        loaders=settings.workers,
        command=wish.command,
        threads=settings.threads or profile.threads or max(1, usable_cores() // jobs),
        jobs=jobs,
        fail_fast=wish.fail_fast,
        weights=weights_files(study.trained),
    )


def _planned(
    study: Study, errand: Errand, wish: Wish, streams: Streams
) -> tuple[Study, Errand, Plan]:
    timing = wish.dry_run or wish.budget_s is not None
    if wish.budget_s is not None:
        require_budget(wish.budget_s)
    tell = telling(streams)

    def plan_of(errand: Errand) -> Plan:
        return plan_launch(
            errand,
            sizes=study.sizes,
            timing=timing,
            fresh=wish.fresh,
            on_timing=lambda done, total: tell("timing a few steps of each model", done, total),
        )

    plan = plan_of(errand)
    if wish.budget_s is None:
        return study, errand, plan
    steps = steps_within(errand, plan, budget_s=wish.budget_s, fresh=wish.fresh)
    streams.say(f"{steps:,} steps for every run fit into {wish.budget_s:.0f} s")
    study = with_steps(study, steps)
    errand = replace(errand, specs=study.all_specs)
    return study, errand, plan_of(errand)
