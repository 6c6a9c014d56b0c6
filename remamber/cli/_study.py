"""A study made ready to run: its specs with the data's fingerprint, their names, its question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from remamber.plan.spec import DataSpec, ModelSpec, RunSpec, StartSpec, TextSpec
from remamber.plan.strict_toml import merge
from remamber.plan.study import (
    PAPER,
    QUICK,
    Analysis,
    Choices,
    Experiment,
    KernelAnalysis,
    StudyRuns,
    TableView,
    expand,
    find_study,
    load_experiment,
    load_question,
    studies_folder,
)
from remamber.registry import unknown

if TYPE_CHECKING:
    from remamber.datasets import ReferringDataset, SplitSize

OnProgress = Callable[[str, int, int], None]

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
        bounds: the run that measures what the data allow, None if the profile wants none.
        sizes: of every split of the (first) data set.
        location: folder of the (first) data set.
        parts: the studies whose runs these are, where they are several.
    """

    name: str
    path: Path
    experiment: Experiment
    choices: Choices
    specs: tuple[RunSpec, ...]
    bounds: RunSpec | None = None
    sizes: "dict[str, SplitSize] | None" = None
    location: Path | None = None
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
        return self.specs if self.bounds is None else (*self.specs, self.bounds)

    def label(self, spec: RunSpec) -> str:
        """What a run is called: its place in the grid, and its seed where there are several."""
        if spec.task != self.specs[0].task:
            return spec.task
        for part in self.parts:
            if spec in part.specs:
                return f"{part.name} {part.label(spec)}"
        content = spec.model_dump()
        words = [str(_at(content, key)) for key in self.experiment.grid]
        if len({s.seed for s in self.specs}) > 1:
            words.append(f"seed {spec.seed}")
        return " ".join(words)

    def runs(self, command: str) -> StudyRuns:
        """What the store remembers of this invocation."""
        return StudyRuns(
            study=self.name,
            profile=self.choices.profile,
            run_ids=tuple(spec.run_id for spec in self.specs),
            bounds_id=self.bounds.run_id if self.bounds is not None else None,
            command=command,
        )


def load_study(name: str, choices: Choices) -> Study:
    """Read a study and expand it.

    Raises:
        UserError: unknown study, profile, filter or key, or a bad value.
    """
    path = find_study(name)
    experiment = load_experiment(path)
    specs = expand(experiment, choices, origin=str(path))
    return Study(path.stem, path, experiment, choices, tuple(specs))


def united(parts: Sequence[Study]) -> Study:
    """Several studies as one, each run once; they share their profile and their data."""
    first = parts[0]
    specs = tuple(dict.fromkeys(spec for part in parts for spec in part.specs))
    return replace(first, name=ALL, specs=specs, parts=tuple(parts))


def with_data(
    study: Study,
    *,
    root: Path | None,
    workers: int,
    on_progress: OnProgress,
    download: bool = False,
) -> Study:
    """Open, or generate, what every run reads and put its fingerprints into the specs.

    Args:
        study: what to run.
        root: the data root, for data and for pretrained text encoders.
        workers: processes that may generate data.
        on_progress: told of anything that takes longer than a moment.
        download: fetch a pretrained text encoder that is not on this machine.

    Raises:
        UserError: unknown data set, missing or damaged files, a split that it does not have.
    """
    from remamber.datasets import DataPlace, ReferringDataset, open_dataset
    from remamber.plan.start_files import with_start_fingerprint
    from remamber.plan.text_files import with_fingerprint

    place = DataPlace(root=root, workers=workers, on_progress=on_progress)
    texts = dict.fromkeys(spec.model.text for spec in study.specs)
    stamped = {text: with_fingerprint(text, root, download=download) for text in texts}
    starts = dict.fromkeys(spec.model.start for spec in study.specs)
    begun = {start: with_start_fingerprint(start, root) for start in starts}
    opened: dict[DataSpec, ReferringDataset] = {}
    for spec in study.specs:
        if spec.data not in opened:
            opened[spec.data] = open_dataset(spec.data, place)
    bound = [_bound(part, opened, Found(stamped, begun)) for part in study.parts or (study,)]
    return united(bound) if study.parts else bound[0]


class Found(NamedTuple):
    """Parts of a spec with the fingerprints of the files that are there, by what was asked for."""

    texts: dict[TextSpec, TextSpec]
    starts: dict[StartSpec | None, StartSpec | None]

    def model(self, asked: ModelSpec) -> ModelSpec:
        """The model's spec with fingerprints."""
        found = {"text": self.texts[asked.text], "start": self.starts[asked.start]}
        return asked.model_copy(update=found)


def _bound(study: Study, opened: "dict[DataSpec, ReferringDataset]", found: Found) -> Study:
    from remamber.datasets import split_sizes

    specs = tuple(
        _stamp(spec, opened[spec.data].fingerprint, found.model(spec.model)) for spec in study.specs
    )
    first = study.specs[0].data
    dataset = opened[first]
    sizes = split_sizes(dataset, dict.fromkeys((first.train_split, *first.splits)))
    wanted = study.experiment.profiles[study.choices.profile].bounds
    bounds = RunSpec(task="bounds", data=specs[0].data) if wanted else None
    return replace(study, specs=specs, bounds=bounds, sizes=sizes, location=dataset.location)


def with_steps(study: Study, steps: int) -> Study:
    """The same study with that many training steps in every run."""
    if study.parts:
        return united([with_steps(part, steps) for part in study.parts])
    override = {"train": {"steps": steps, "epochs": None}}
    choices = study.choices._replace(overrides=merge(study.choices.overrides, override))
    again = expand(study.experiment, choices, origin=str(study.path))
    pairs = zip(again, study.specs, strict=True)
    specs = tuple(_stamp(new, old.data.fingerprint, old.model) for new, old in pairs)
    return replace(study, choices=choices, specs=specs)


def find_analysis(name: str) -> Analysis | KernelAnalysis:
    """The question that goes with a study; a plain table where it has no analysis file.

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
    first = expand(experiment, Choices(profile=profile), origin=str(path))[0]
    return Analysis(
        title=experiment.title,
        paper=experiment.paper,
        experiment=path.stem,
        question=experiment.title,
        table=TableView(
            rows=next(iter(experiment.grid)),
            splits=first.data.splits,
            lead=(first.data.splits[0], "mIoU"),
        ),
    )


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


def _stamp(spec: RunSpec, fingerprint: str, found: ModelSpec) -> RunSpec:
    data = spec.data.model_copy(update={"fingerprint": fingerprint})
    model = spec.model.model_copy(update={"text": found.text, "start": found.start})
    return spec.model_copy(update={"data": data, "model": model})


def _at(content: Any, dotted: str) -> Any:  # noqa: ANN401 - any value of a spec
    for key in dotted.split("."):
        content = content[key]
    return content
