"""Studies of trained weights by a command of their own: whose weights, then as any study."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from remamber.cli import _options as options
from remamber.cli._ablation import ablation
from remamber.cli._choices import Words, overrides_of
from remamber.cli._execution import Wish
from remamber.cli._look_words import Shelf, is_rows, named_weights
from remamber.cli._settings import Settings, resolve
from remamber.cli._study import Study, choose_profile, load_study
from remamber.cli._trained import trained_rows
from remamber.errors import ExitCode, UserError
from remamber.plan.strict_toml import merge
from remamber.plan.study import Choices, Experiment, find_study, load_experiment
from remamber.plan.trained import TrainedRows, TrainedRun
from remamber.record.store import Store
from remamber.registry import DATASETS

Check = Callable[[TrainedRun], None]
_LONGEST_STEM = 64


def look(
    study: str,
    given: Mapping[str, Any],
    *,
    command: str,
    sets: Mapping[str, Any],
    check: Check = lambda run: None,
) -> ExitCode:
    """Run a study of trained weights on those that the command line names, and report on it.

    Args:
        study: the shipped study that the command stands for.
        given: the command's options by their argument names: model, study, profile, data, split,
            set_, and those of ``Settings`` and ``Wish``.
        command: the whole command line.
        sets: what the command's own options set in every run.
        check: raises a UserError for weights that cannot be looked at so.

    Raises:
        UserError: no weights of that name, or whatever keeps it from starting.
    """
    streams = options.streams(
        given["display"],
        quiet=given["quiet"],
        verbose=given["verbose"],
        no_color=given["no_color"],
    )
    settings = resolve({key: given.get(key) for key in Settings.model_fields}).settings
    wish = Wish.of({**given, "study": study, "budget": None}, command=command)
    chosen = looking_study(study, given, sets=sets, settings=settings)
    for run in chosen.trained:
        check(run)
    return ablation(chosen, wish, settings=settings, streams=streams)


def looking_study(
    name: str, given: Mapping[str, Any], *, sets: Mapping[str, Any], settings: Settings
) -> Study:
    """A study of trained weights as the command line wants it, not yet bound to data.

    Args:
        name: of the shipped study.
        given: as for ``look``.
        sets: as for ``look``.
        settings: where the weights are.

    Raises:
        UserError: a name is not known, a value is bad, or there are no such weights.
    """
    experiment = load_experiment(find_study(name))
    wanted, data, root = _wanted(experiment, given), given.get("data"), settings.data_root
    if data is not None:
        DATASETS.require(data)
    profile = choose_profile(name, given=given.get("profile"), data=data, root=root)
    shelf = Shelf(
        store=Store(settings.store),
        study=wanted.study,
        profile=profile,
        dataset=data,
        image_size=given.get("image_size"),
    )
    words = tuple(given.get("model") or ())
    if words:
        trained = named_weights(words, shelf)
    else:
        trained = trained_rows(wanted, shelf.store, profile=profile, dataset=data)
    overrides = merge(overrides_of(_words(given)), sets)
    if given.get("split") is not None:
        task = str(experiment.run["task"])
        overrides = merge(overrides, {task: {"split": given["split"]}})
    study = load_study(name, Choices(profile=profile, overrides=overrides), trained=trained)
    own = not is_rows(words, shelf)
    return replace(study, stem=_stem(study, wanted, own=own))


def _wanted(experiment: Experiment, given: Mapping[str, Any]) -> TrainedRows:
    """Whose weights: all rows of the study that the command line names, else the study's own."""
    if given.get("study") is not None:
        return TrainedRows(study=find_study(given["study"]).stem)
    if experiment.trained is None:
        raise UserError(
            f"study '{experiment.title}' looks at no trained weights",
            fix=["--study fusion"],
            slug="not_a_look",
        )
    return experiment.trained


def _words(given: Mapping[str, Any]) -> Words:
    return Words(
        data=given.get("data"),
        image_size=given.get("image_size"),
        scan_backend=given.get("scan_backend"),
        overrides=tuple(given.get("set_") or ()),
    )


def _stem(study: Study, wanted: TrainedRows, *, own: bool) -> str:
    """Name of the report's files: the study's, and whose weights where they are not its rows."""
    if not own:
        if wanted == study.experiment.trained:
            return study.report
        return study.report.replace(study.name, f"{study.name}-{wanted.study}", 1)
    labels = dict.fromkeys(run.label for run in study.trained)
    text = re.sub(r"[^\w.+-]+", "-", "-".join([study.name, *labels])).strip("-.")
    if len(text) <= _LONGEST_STEM:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _LONGEST_STEM - 9]}-{digest}"
