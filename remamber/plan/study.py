"""A study: the runs that a file of ``experiments/`` describes, and those of an invocation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from remamber.errors import UserError
from remamber.plan.data_splits import splits_layer
from remamber.plan.grid import Cell, cells, dataset_axis, grid_axes, require_free, row_axis
from remamber.plan.planned import PlannedRun, each_once, with_options
from remamber.plan.scan_shapes import require_case
from remamber.plan.spec import Positive, RunSpec, Strict
from remamber.plan.strict_toml import Layer, merge, read_toml, validate
from remamber.plan.trained import (
    TRAINED,
    TrainedRows,
    TrainedRun,
    reading_one_split,
    require_looking,
    require_not_decided,
    trained_axis,
)
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
    (``grid``), or each of the first with each of the second. With ``trained`` each of them is
    done with the weights of each of those rows; then there need be no others.
    """

    title: str
    paper: str
    trained: TrainedRows | None = None
    run: dict[str, Any] = {}
    rows: dict[str, dict[str, Any]] = {}
    grid: dict[str, Annotated[tuple[str | int | float | bool, ...], Field(min_length=1)]] = {}
    profiles: dict[str, Profile]


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
        trained: run id -> the row whose weights it looks at, in a study of trained weights.
        datasets: run id, of bounds too -> its data set.
        bounds_ids: the runs that measured the data, one a data set.
    """

    study: str
    profile: str
    report: str = ""
    run_ids: tuple[str, ...]
    rows: dict[str, str] = {}
    trained: dict[str, str] = {}
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
    if not experiment.rows and not experiment.grid and experiment.trained is None:
        raise UserError(
            f"{path} has no rows: it states neither a grid nor named rows",
            fix=['add  [grid]  "model.fusion.scan_order" = ["channel", "spatial"]'],
            slug="no_rows",
            path=str(path),
        )
    for profile in experiment.profiles:
        for spec in expand(experiment, Choices(profile=profile), origin=str(path)):
            if experiment.trained is not None:
                require_looking(spec.task, origin=str(path))
    return experiment


def expand(experiment: Experiment, choices: Choices, *, origin: str) -> list[RunSpec]:
    """All runs of a study in a stable order; see ``planned_runs``."""
    return [run.spec for run in planned_runs(experiment, choices, origin=origin)]


def planned_runs(
    experiment: Experiment,
    choices: Choices,
    *,
    origin: str,
    trained: Sequence[TrainedRun] = (),
) -> list[PlannedRun]:
    """All runs of a study in a stable order: by data set, row and seed, each run once.

    Args:
        experiment: the study.
        choices: profile, seeds, ``--only`` filters and overrides from the command line.
        origin: the experiment's file, for messages.
        trained: the weights that a study of trained weights looks at; without them its runs are
            only templates.

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
        *trained_axis(experiment.trained, trained, origin=origin),
        *dataset_axis(profile.datasets, origin=place, chosen=chosen),
        *row_axis(experiment.rows, origin=origin, more=profile.rows),
        *grid_axes(experiment.grid, origin=origin),
    ]
    base: list[Layer] = [(origin, experiment.run), (f"{place}]", profile.run)]
    chosen_cells = cells(axes, choices.only or profile.only)
    if experiment.trained is not None:
        return _on_weights(chosen_cells, base, choices, trained)
    base += splits_layer(chosen)
    seeds = choices.seeds if choices.seeds is not None else profile.seeds
    return each_once(with_options(_trainings(chosen_cells, base, choices, seeds)))


def _trainings(
    chosen: Sequence[Cell], base: Sequence[Layer], choices: Choices, seeds: Sequence[int]
) -> list[PlannedRun]:
    found = []
    for cell in chosen:
        for seed in seeds:
            asked = ("the command line", merge(choices.overrides, {"seed": seed}))
            run = _planned(cell, [*base, *cell.layers, asked])
            names = (run.spec.model.name, run.spec.model.fusion.name)
            require_read(*names, row=cell.layers, asked=asked)
            require_read_by_task(run.spec.task, choices.overrides)
            found.append(run)
    return found


def _on_weights(
    chosen: Sequence[Cell],
    base: Sequence[Layer],
    choices: Choices,
    trained: Sequence[TrainedRun],
) -> list[PlannedRun]:
    found = []
    for cell in chosen:
        own = [*base, *cell.layers, ("the command line", choices.overrides)]
        require_not_decided(own)
        row = cell.place[TRAINED]
        lowest = [[run.layer()] for run in trained if run.label == row] or [[]]
        runs = [_planned(cell, [*low, *own]) for low in lowest]
        found += [run._replace(spec=reading_one_split(run.spec)) for run in runs]
    return each_once(found)


def _planned(cell: Cell, layers: Sequence[Layer]) -> PlannedRun:
    spec = validate(RunSpec, layers)
    require_entries(spec)
    return PlannedRun(spec, cell.row, cell.place.get(TRAINED, ""))


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
