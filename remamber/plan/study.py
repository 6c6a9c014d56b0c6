"""A study: what to run (``experiments/``) and what to ask of the records (``analysis/``)."""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from remamber.errors import UserError
from remamber.plan.data_splits import splits_layer
from remamber.plan.grid import cells, dataset_axis, grid_axes, require_free, row_axis
from remamber.plan.planned import PlannedRun, each_once, with_options
from remamber.plan.scan_shapes import require_case
from remamber.plan.sota import SotaView
from remamber.plan.spec import Positive, RunSpec, Strict
from remamber.plan.speed import SpeedView
from remamber.plan.strict_toml import merge, read_toml, validate
from remamber.plan.unread_fields import require_read, require_read_by_task
from remamber.registry import FUSIONS, MODELS, SCAN_ORDERS, TASKS, unknown

QUICK = "quick"
PAPER = "paper"


class Profile(Strict):
    """A scale at which the same rows run: its seeds and what it sets in the run.

    ``datasets`` are those on which every row runs, each with what it sets in ``data`` besides
    its name, such as its splits; without them the run's own is the only one. ``rows`` are what
    named rows set at this scale besides what they always set. ``jobs`` runs go side by side with
    ``threads`` each, unless the command line says otherwise; without ``threads`` they share the
    cores. ``only`` leaves out all other rows of the grid, again unless the command line names
    some.
    """

    summary: str
    datasets: dict[str, dict[str, Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    only: tuple[str, ...] = ()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    bounds: bool = True
    jobs: Positive = 1
    threads: Positive | None = None
    run: dict[str, Any] = {}


class Experiment(Strict):
    """One file of ``experiments/``: a base run and its rows.

    A row is a name that sets several keys (``rows``), a combination of values of dotted keys
    (``grid``), or each of the first with each of the second.
    """

    title: str
    paper: str
    run: dict[str, Any] = {}
    rows: dict[str, dict[str, Any]] = {}
    grid: dict[str, Annotated[tuple[str | int | float | bool, ...], Field(min_length=1)]] = {}
    profiles: dict[str, Profile]


class TableView(Strict):
    """Which records make rows, which splits and metrics make columns.

    ``rows`` is a dotted key of the spec, or ``row`` for the study's own names of its rows;
    ``labels`` gives them the paper's names;
    ``lead`` is the column (split, metric) that the verdict is read from.
    """

    rows: str
    labels: dict[str, str] = {}
    splits: tuple[str, ...] = ("val", "testA", "testB")
    metrics: tuple[str, ...] = ("mIoU", "oIoU", "Pr@50", "Pr@70")
    lead: tuple[str, str] = ("val", "mIoU")


class FigureView(Strict):
    """One figure of a report: an entry of the figure shelf and what it shows."""

    kind: str
    title: str
    split: str = "val"
    metric: str = "mIoU"


class Question(Strict):
    """What every file of ``analysis/`` holds, whatever is measured."""

    title: str
    paper: str
    experiment: str
    question: str
    figure: tuple[FigureView, ...] = ()


class Analysis(Question):
    """The question of a study of accuracy; ``sota`` adds a table of published systems."""

    published: str | None = None
    published_dataset: str | None = None
    table: TableView
    sota: SotaView | None = None


class KernelsView(Strict):
    """How a report of kernel times is laid out.

    ``baselines`` and ``peers`` are implementations: those that the scan in use is compared with
    by name, the first of them in the verdict and the figures too, and those of other projects,
    of which it is compared with the fastest. ``labels`` gives implementations names.
    """

    baselines: Annotated[tuple[str, ...], Field(min_length=1)]
    peers: tuple[str, ...]
    labels: dict[str, str] = {}

    @property
    def baseline(self) -> str:
        """The first of the baselines."""
        return self.baselines[0]


class KernelAnalysis(Question):
    """The question of a study of kernel times."""

    kernels: KernelsView


class SpeedAnalysis(Question):
    """The question of a study of models' time and memory."""

    speed: SpeedView


class Choices(NamedTuple):
    """What the command line chose for a study; see ``expand``."""

    profile: str = QUICK
    seeds: tuple[int, ...] | None = None
    only: tuple[str, ...] = ()
    overrides: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple default is never mutated


class StudyRuns(Strict):
    """The runs of one invocation of a study, kept in the store so that a report finds them.

    Attributes:
        report: stem of the report's files; the study's name if empty.
        run_ids: the table's runs.
        rows: run id -> the study's name of its row.
        datasets: run id, of bounds too -> its data set.
        bounds_ids: the runs that measured the data, one a data set.
    """

    study: str
    profile: str
    report: str = ""
    run_ids: tuple[str, ...]
    rows: dict[str, str] = {}
    datasets: dict[str, str] = {}
    bounds_ids: tuple[str, ...] = ()
    command: str = ""
    status: Literal["planned", "finished"] = "planned"

    @model_validator(mode="before")
    @classmethod
    def _one_bound(cls, content: Any) -> Any:  # noqa: ANN401 - as it was read
        """Files of before a study could have several data sets name one run of bounds."""
        if isinstance(content, dict) and "bounds_id" in content:
            found = content["bounds_id"]
            rest = {key: value for key, value in content.items() if key != "bounds_id"}
            return {**rest, "bounds_ids": [found] if found else []}
        return content


def studies_folder(kind: Literal["experiments", "analysis"]) -> Path:
    """The shipped studies: beside the package in a wheel, in the checkout's root otherwise."""
    package = Path(__file__).parents[1]
    shipped = package / "_studies" / kind
    return shipped if shipped.is_dir() else package.parent / kind


def study_names() -> list[str]:
    """Stems of the shipped experiments."""
    return sorted(p.stem for p in studies_folder("experiments").glob("*.toml"))


def find_study(name: str) -> Path:
    """The experiment file of a shipped study, or the path itself if it ends in ``.toml``.

    Raises:
        UserError: no shipped study has that name; the nearest is named.
    """
    if name.endswith(".toml"):
        return Path(name)
    if name not in study_names():
        raise unknown("study", name, study_names())
    return studies_folder("experiments") / f"{name}.toml"


def load_experiment(path: Path) -> Experiment:
    """Read and check an experiment, the run of every profile included.

    Raises:
        UserError: missing file, unknown key, bad value or unknown entry, by file and key.
    """
    experiment = validate(Experiment, [(str(path), read_toml(path))])
    if not experiment.rows and not experiment.grid:
        raise UserError(
            f"{path} has no rows: it states neither a grid nor named rows",
            fix=['add  [grid]  "model.fusion.scan_order" = ["channel", "spatial"]'],
            slug="no_rows",
            path=str(path),
        )
    for profile in experiment.profiles:
        expand(experiment, Choices(profile=profile), origin=str(path))
    return experiment


def load_analysis(path: Path) -> Analysis:
    """Read and check an analysis file of a study of accuracy.

    Raises:
        UserError: missing file, unknown key or bad value, by file and key.
    """
    return validate(Analysis, [(str(path), read_toml(path))])


def load_question(path: Path) -> Analysis | KernelAnalysis | SpeedAnalysis:
    """Read and check an analysis file of any kind.

    Raises:
        UserError: missing file, unknown key or bad value, by file and key.
    """
    content = read_toml(path)
    layer = (str(path), content)
    if "speed" in content:
        return validate(SpeedAnalysis, [layer])
    if "kernels" in content:
        return validate(KernelAnalysis, [layer])
    return validate(Analysis, [layer])


def expand(experiment: Experiment, choices: Choices, *, origin: str) -> list[RunSpec]:
    """All runs of a study in a stable order; see ``planned_runs``."""
    return [run.spec for run in planned_runs(experiment, choices, origin=origin)]


def planned_runs(experiment: Experiment, choices: Choices, *, origin: str) -> list[PlannedRun]:
    """All runs of a study in a stable order: by data set, row and seed, each run once.

    Args:
        experiment: the study.
        choices: profile, seeds, ``--only`` filters and overrides from the command line.
        origin: the experiment's file, for messages.

    Raises:
        UserError: unknown profile or filter, or a run that is not valid.
    """
    if choices.profile not in experiment.profiles:
        raise unknown("profile", choices.profile, experiment.profiles)
    profile = experiment.profiles[choices.profile]
    place = f"{origin} [profiles.{choices.profile}"
    require_free(experiment.grid, choices.overrides, origin=origin)
    data = choices.overrides.get("data")
    chosen = data.get("name") if isinstance(data, dict) else None
    axes = [
        *dataset_axis(profile.datasets, origin=place, chosen=chosen),
        *row_axis(experiment.rows, origin=origin, more=profile.rows),
        *grid_axes(experiment.grid, origin=origin),
    ]
    found: list[PlannedRun] = []
    for cell in cells(axes, choices.only or profile.only):
        for seed in choices.seeds if choices.seeds is not None else profile.seeds:
            layers = [
                (origin, experiment.run),
                (f"{place}]", profile.run),
                *splits_layer(chosen),
                *cell.layers,
                ("the command line", merge(choices.overrides, {"seed": seed})),
            ]
            spec = validate(RunSpec, layers)
            require_entries(spec)
            names = (spec.model.name, spec.model.fusion.name)
            require_read(*names, row=cell.layers, asked=layers[-1])
            require_read_by_task(spec.task, choices.overrides)
            found.append(PlannedRun(spec, cell.row))
    return each_once(with_options(found))


def require_entries(spec: RunSpec) -> None:
    """Raise a UserError unless every shelf name in the spec is known (data sets apart)."""
    TASKS.require(spec.task)
    MODELS.require_usable(spec.model.name)
    FUSIONS.require_usable(spec.model.fusion.name)
    SCAN_ORDERS.require(spec.model.fusion.scan_order)
    if spec.kernels is not None:
        require_case(spec.kernels.case)
    for model in spec.speed.models if spec.speed is not None else ():
        require_entries(RunSpec(model=model))
