"""A study as the command line chose it: its runs, their names, its report, its question."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remamber.plan.grid import ROW
from remamber.plan.question import KINDS, Analysis, Question, TableView, load_question
from remamber.plan.spec import DataSpec, ModelSpec, RunSpec
from remamber.plan.strict_toml import merge
from remamber.plan.study import (
    PAPER,
    QUICK,
    Choices,
    Experiment,
    StudyRuns,
    find_study,
    load_experiment,
    planned_runs,
    studies_folder,
)
from remamber.plan.trained import TrainedRun
from remamber.registry import unknown

if TYPE_CHECKING:
    from remamber.launch import Sizes

ALL = "all"
ABLATIONS = ("scans", "fusion", "features")
"""The studies that ``ablate all`` runs: Tables 3, 1 and 4, which share the full Twister."""


@dataclass(frozen=True)
class Study:
    """A study and what the command line chose of it.

    Attributes:
        name: the file's stem.
        path: the experiment's file.
        experiment: its content.
        choices: profile, seeds, filters and overrides.
        specs: the runs of the table, in order.
        rows: the name of each run's row in the table.
        bounds: the runs that measure what each data set allows, if the profile wants them.
        sizes: of every split of every data set.
        locations: where each data set is.
        looked_at: of each run, the row whose weights it looks at, in a study of trained weights.
        trained: those weights.
        stem: of the report's files, where it is not the usual one.
        parts: the studies whose runs these are, where they are several.
    """

    name: str
    path: Path
    experiment: Experiment
    choices: Choices
    specs: tuple[RunSpec, ...]
    rows: tuple[str, ...]
    bounds: tuple[RunSpec, ...] = ()
    sizes: "Sizes" = field(default_factory=dict)
    locations: dict[DataSpec, Path] = field(default_factory=dict)
    looked_at: tuple[str, ...] = ()
    trained: tuple[TrainedRun, ...] = ()
    stem: str = ""
    parts: "tuple[Study, ...]" = ()

    @property
    def title(self) -> str:
        """What it is about, with the paper's table."""
        if self.parts:
            return "; ".join(part.title for part in self.parts)
        return f"{self.experiment.title} ({self.experiment.paper})"

    @property
    def all_specs(self) -> tuple[RunSpec, ...]:
        """The table's runs, then the bounds."""
        return (*self.specs, *self.bounds)

    @property
    def datasets(self) -> tuple[DataSpec, ...]:
        """What the runs read, each once."""
        return tuple(dict.fromkeys(spec.data for spec in self.specs))

    @property
    def report(self) -> str:
        """Stem of the report's files; runs on other data or at another scale have their own."""
        if self.stem:
            return self.stem
        if self.trained:
            return "-".join([self.name, *self._trained_words()])
        own = planned_runs(
            self.experiment, Choices(profile=self.choices.profile), origin=str(self.path)
        )
        usual = self.choices.profile == next(iter(self.experiment.profiles))
        words = [] if usual else [self.choices.profile]
        data = dict.fromkeys(_data_words(spec.data) for spec in self.specs)
        if data.keys() != {_data_words(run.spec.data) for run in own}:
            words += data
        return "-".join([self.name, *words])

    def _trained_words(self) -> list[str]:
        """What tells the report from that of the usual weights: profile, and the data.

        Which data are usual, the weights' own study says.
        """
        wanted = self.experiment.trained
        usual = load_experiment(find_study(wanted.study)) if wanted is not None else self.experiment
        profile = self.choices.profile
        words = [] if profile == next(iter(usual.profiles)) else [profile]
        own = planned_runs(usual, Choices(profile=profile), origin=str(self.path))
        known = {_data_words(run.spec.data) for run in own}
        data = dict.fromkeys(_data_words(run.data) for run in self.trained)
        return [*words, *data] if data.keys() != known else words

    def label(self, spec: RunSpec) -> str:
        """What a run is called: its row, and data set and seed where there are several."""
        several = len({s.data.name for s in self.specs}) > 1
        data = [spec.data.name] if several else []
        if spec.task != self.specs[0].task:
            return " ".join([spec.task, *data])
        for part in self.parts:
            if spec in part.specs:
                return f"{part.name} {part.label(spec)}"
        words = [self.rows[self.specs.index(spec)], *data]
        if len({s.seed for s in self.specs}) > 1:
            words.append(f"seed {spec.seed}")
        return " ".join(words)

    def runs(self, command: str) -> StudyRuns:
        """What the store remembers of this invocation."""
        return StudyRuns(
            study=self.name,
            profile=self.choices.profile,
            report=self.report,
            run_ids=tuple(spec.run_id for spec in self.specs),
            rows=self._by_run(self.rows),
            trained=self._by_run(self.looked_at) if self.trained else {},
            datasets={spec.run_id: spec.data.name for spec in self.all_specs},
            bounds_ids=tuple(spec.run_id for spec in self.bounds),
            command=command,
        )

    def _by_run(self, words: Sequence[str]) -> dict[str, str]:
        return {spec.run_id: word for spec, word in zip(self.specs, words, strict=True)}


def load_study(name: str, choices: Choices, *, trained: Sequence[TrainedRun] = ()) -> Study:
    """Read a study and expand it.

    Args:
        name: a shipped study's, or an experiment's path.
        choices: what the command line chose.
        trained: the weights that a study of trained weights looks at.

    Raises:
        UserError: unknown study, profile, filter or key, or a bad value.
    """
    path = find_study(name)
    experiment = load_experiment(path)
    runs = planned_runs(experiment, choices, origin=str(path), trained=trained)
    return Study(
        path.stem,
        path,
        experiment,
        choices,
        specs=tuple(run.spec for run in runs),
        rows=tuple(run.row for run in runs),
        looked_at=tuple(run.trained for run in runs),
        trained=tuple(run for run in trained if run.weights in {r.spec.weights for r in runs}),
    )


def united(parts: Sequence[Study]) -> Study:
    """Several studies as one, each run once; they share their profile."""
    found = [pair for part in parts for pair in zip(part.specs, part.rows, strict=True)]
    rows = dict(reversed(found))
    specs = tuple(dict.fromkeys(spec for spec, _ in found))
    return replace(
        parts[0],
        name=ALL,
        specs=specs,
        rows=tuple(rows[spec] for spec in specs),
        bounds=tuple(dict.fromkeys(spec for part in parts for spec in part.bounds)),
        sizes={data: sizes for part in parts for data, sizes in part.sizes.items()},
        locations={data: path for part in parts for data, path in part.locations.items()},
        parts=tuple(parts),
    )


def stamp(spec: RunSpec, data: DataSpec, found: ModelSpec) -> RunSpec:
    """A run with the fingerprints of its data, text encoder and start."""
    model = spec.model.model_copy(update={"text": found.text, "start": found.start})
    return spec.model_copy(update={"data": data, "model": model})


def with_steps(study: Study, steps: int) -> Study:
    """The same study with that many training steps in every run."""
    if study.parts:
        return united([with_steps(part, steps) for part in study.parts])
    override = {"train": {"steps": steps, "epochs": None}}
    choices = study.choices._replace(overrides=merge(study.choices.overrides, override))
    again = planned_runs(study.experiment, choices, origin=str(study.path))
    pairs = zip(again, study.specs, strict=True)
    specs = tuple(stamp(new.spec, old.data, old.model) for new, old in pairs)
    return replace(study, choices=choices, specs=specs)


def find_analysis(name: str) -> Question:
    """The question that goes with a study; a plain one where it has no analysis file.

    Raises:
        UserError: unknown study, or a bad analysis file.
    """
    path = find_study(name)
    beside = path.parent.parent / "analysis" / path.name
    shipped = studies_folder("analysis") / path.name
    if name.endswith(".toml"):
        candidates = [beside] if path.parent.name == "experiments" else []
    else:
        candidates = [shipped]
    for candidate in candidates:
        if candidate.is_file():
            return load_question(candidate)
    experiment = load_experiment(path)
    profile = next(iter(experiment.profiles))
    first = planned_runs(experiment, Choices(profile=profile), origin=str(path))[0].spec
    words: dict[str, Any] = {
        "title": experiment.title,
        "paper": experiment.paper,
        "experiment": path.stem,
        "question": experiment.title,
    }
    if experiment.trained is not None and first.task in KINDS:
        return KINDS[first.task].model_validate({**words, first.task: {}})
    splits = first.data.splits
    return Analysis(**words, table=TableView(rows=ROW, splits=splits, lead=(splits[0], "mIoU")))


def require_profile(name: str, profile: str) -> None:
    """Raise a UserError that lists a study's profiles unless it has this one."""
    known = load_experiment(find_study(name)).profiles
    if profile not in known:
        raise unknown("profile", profile, known)


def choose_profile(name: str, *, given: str | None, data: str | None, root: Path | None) -> str:
    """The profile to run: as given, else ``paper`` where real data are at hand, else ``quick``.

    Args:
        name: the study.
        given: from the command line.
        data: the data set from the command line.
        root: the data root.
    """
    if given is not None:
        return given
    known = load_experiment(find_study(name)).profiles
    real = root is not None and not (data or "").startswith("synth")
    wanted = PAPER if real else QUICK
    return wanted if wanted in known else next(iter(known))


def _data_words(data: DataSpec) -> str:
    """A data set as a report's name says it."""
    return "-".join(filter(None, (data.name, data.preset)))
