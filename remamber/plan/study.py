"""A study: what to run (``experiments/``) and what to ask of the records (``analysis/``)."""

from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from remamber.errors import UserError
from remamber.plan.scan_shapes import require_case
from remamber.plan.spec import Positive, RunSpec, Strict
from remamber.plan.strict_toml import Layer, merge, nested, read_toml, validate
from remamber.registry import FUSIONS, MODELS, SCAN_ORDERS, TASKS, unknown

SHELVES = {"model.name": MODELS, "model.fusion.name": FUSIONS}
"""Keys of a grid whose values are a shelf's names, which other packages may add to."""

QUICK = "quick"
PAPER = "paper"


class Profile(Strict):
    """A scale at which the same grid runs: its seeds and what it sets in the run.

    ``jobs`` runs go side by side with ``threads`` each, unless the command line says otherwise;
    without ``threads`` they share the cores. ``only`` leaves out all other rows of the grid,
    again unless the command line names some.
    """

    summary: str
    only: tuple[str, ...] = ()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    bounds: bool = True
    jobs: Positive = 1
    threads: Positive | None = None
    run: dict[str, Any] = {}


class Experiment(Strict):
    """One file of ``experiments/``: a base run and a grid over dotted keys of it."""

    title: str
    paper: str
    run: dict[str, Any] = {}
    grid: dict[str, tuple[str | int | float | bool, ...]]
    profiles: dict[str, Profile]


class TableView(Strict):
    """Which records make rows, which splits and metrics make columns.

    ``rows`` is a dotted key of the spec; ``labels`` gives its values the paper's names;
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
    """The question of a study of accuracy."""

    published: str | None = None
    published_dataset: str | None = None
    table: TableView


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


class Choices(NamedTuple):
    """What the command line chose for a study; see ``expand``."""

    profile: str = QUICK
    seeds: tuple[int, ...] | None = None
    only: tuple[str, ...] = ()
    overrides: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple default is never mutated


class StudyRuns(Strict):
    """The runs of one invocation of a study, kept in the store so that a report finds them.

    ``kind`` of the first run ids is training; ``bounds`` is the run that measured the data.
    """

    study: str
    profile: str
    run_ids: tuple[str, ...]
    bounds_id: str | None = None
    command: str = ""
    status: Literal["planned", "finished"] = "planned"


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
    for profile in experiment.profiles:
        expand(experiment, Choices(profile=profile), origin=str(path))
    return experiment


def load_analysis(path: Path) -> Analysis:
    """Read and check an analysis file of a study of accuracy.

    Raises:
        UserError: missing file, unknown key or bad value, by file and key.
    """
    return validate(Analysis, [(str(path), read_toml(path))])


def load_question(path: Path) -> Analysis | KernelAnalysis:
    """Read and check an analysis file of any kind.

    Raises:
        UserError: missing file, unknown key or bad value, by file and key.
    """
    content = read_toml(path)
    if "kernels" in content:
        return validate(KernelAnalysis, [(str(path), content)])
    return validate(Analysis, [(str(path), content)])


def expand(experiment: Experiment, choices: Choices, *, origin: str) -> list[RunSpec]:
    """All runs of a study in a stable order: the grid's rows, each with every seed.

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
    specs = []
    for cell in _cells(experiment, choices.only or profile.only):
        for seed in choices.seeds if choices.seeds is not None else profile.seeds:
            row: dict[str, Any] = {}
            for key, value in cell.items():
                row = merge(row, nested(key, value))
            layers: list[Layer] = [
                (origin, experiment.run),
                (f"{origin} [profiles.{choices.profile}]", profile.run),
                (f"{origin} [grid]", row),
                ("the command line", merge(choices.overrides, {"seed": seed})),
            ]
            spec = validate(RunSpec, layers)
            require_entries(spec)
            specs.append(spec)
    return list(dict.fromkeys(specs))


def require_entries(spec: RunSpec) -> None:
    """Raise a UserError unless every shelf name in the spec is known (data sets apart)."""
    TASKS.require(spec.task)
    MODELS.require(spec.model.name)
    FUSIONS.require(spec.model.fusion.name)
    SCAN_ORDERS.require(spec.model.fusion.scan_order)
    if spec.kernels is not None:
        require_case(spec.kernels.case)


def _cells(experiment: Experiment, only: tuple[str, ...]) -> list[dict[str, Any]]:
    wanted = [_filter(text, experiment) for text in only]
    grid = {key: list(values) for key, values in experiment.grid.items()}
    for key, value in wanted:
        grid[key] += [value] if value not in map(str, grid[key]) else []
    cells = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if not only:
        return cells
    return [c for c in cells if any(str(c[key]) == value for key, value in wanted)]


def _filter(text: str, experiment: Experiment) -> tuple[str, str]:
    """``scan_order=channel`` or just ``channel`` as (dotted key, value).

    An entry of the shelf that a key names is a row too, whether the study has it or not: so a
    fusion from another package is compared with those of the paper.
    """
    name, _, value = text.rpartition("=")
    keys = [k for k in experiment.grid if not name or k == name or k.endswith(f".{name}")]
    if not keys:
        raise unknown("grid key", name, experiment.grid)
    for key in keys:
        if value in map(str, experiment.grid[key]):
            return key, value
    for key in keys:
        if key in SHELVES and value in SHELVES[key].names():
            return key, value
    known = [str(v) for key in keys for v in experiment.grid[key]]
    raise unknown("variant", value, known)


def parse_override(text: str) -> dict[str, Any]:
    """``--set a.b=value`` as nested mappings; the value is read as TOML, else as a string.

    Raises:
        UserError: there is no ``=``.
    """
    import tomllib

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(
            f"--set {text}: expected KEY=VALUE", fix=["--set train.batch=16"], slug="bad_override"
        )
    try:
        parsed = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return nested(key.strip(), parsed)
