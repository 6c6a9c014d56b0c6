"""Runs on trained weights: the rows of a study that they look at, and what those decide."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from remamber.errors import UserError
from remamber.plan.grid import Axis
from remamber.plan.spec import DataSpec, ModelSpec, RunSpec, Strict, WeightsSpec
from remamber.plan.strict_toml import Layer

TRAINED = "trained"
"""The axis of trained rows: the first part of a row's name."""

_DECIDED = ("model", "train", "weights", "seed")
"""Keys of a run that its weights decide."""

_OWN_MODELS = ("train", "bounds", "speed", "flops", "kernels")
"""Tasks that read no weights of another run."""


class TrainedRows(Strict):
    """Whose weights a study looks at: rows of another study, all of them without ``rows``.

    ``beside`` are rows of further studies, which are looked at too where they have been trained.
    """

    study: str
    rows: tuple[str, ...] = ()
    beside: dict[str, tuple[str, ...]] = {}


class TrainedRun(NamedTuple):
    """Weights, and what the run that trained them says of them.

    Attributes:
        label: the row's name.
        seed: of the training.
        model: the model's spec.
        data: what it was trained on.
        weights: what the file holds, and its sha256.
        path: the file.
        run_id: the run that trained it, empty if it is not known.
    """

    label: str
    seed: int
    model: ModelSpec
    data: DataSpec
    weights: WeightsSpec
    path: Path
    run_id: str = ""

    def layer(self) -> Layer:
        """What a run on these weights takes over; the study's own settings are laid over it."""
        content = {
            "seed": self.seed,
            "model": self.model.model_dump(),
            "data": self.data.model_dump(exclude={"fingerprint"}),
            "weights": self.weights.model_dump(),
        }
        return f"the weights of {self.run_id or self.path}", content


def trained_axis(
    wanted: TrainedRows | None, found: Sequence[TrainedRun], *, origin: str
) -> list[Axis]:
    """The axis of trained rows, which set nothing by themselves; none if a study trains.

    Args:
        wanted: what the study says.
        found: the weights that are there; without them, the rows by their names alone.
        origin: the study's file.
    """
    if wanted is None:
        return []
    labels = [run.label for run in found] if found else list(wanted.rows)
    return [Axis(TRAINED, {label: (f"{origin} [trained]", {}) for label in labels or [""]})]


def require_not_decided(layers: Iterable[Layer]) -> None:
    """Refuse what the weights decide: the model, its training and the seed.

    Raises:
        UserError: one of the layers sets such a key.
    """
    for origin, content in layers:
        lost = next((key for key in _DECIDED if key in content), None)
        if lost is not None:
            raise UserError(
                f"{origin}: {lost}: the runs of this study look at trained weights, which decide"
                " it",
                where=[f"decided by the weights  {', '.join(_DECIDED)}"],
                fix=["--set data.image_size=96", f"leave {_first_key(lost, content)} out"],
                slug="decided_by_weights",
            )


def require_looking(task: str, *, origin: str) -> None:
    """Refuse a study of trained weights whose task reads none.

    Raises:
        UserError: it makes its own model, or needs none.
    """
    if task in _OWN_MODELS:
        raise UserError(
            f"{origin} [trained]: the task '{task}' reads no trained weights",
            fix=['task = "evaluate"', "leave [trained] out"],
            slug="reads_no_weights",
        )


def reading_one_split(spec: RunSpec) -> RunSpec:
    """A run that looks at one split reads no other, whatever its weights were scored on."""
    looks = (spec.distribution, spec.attention, spec.masks, spec.receptive)
    wish = next((look for look in looks if look is not None), None)
    if wish is None:
        return spec
    return spec.model_copy(update={"data": spec.data.model_copy(update={"splits": (wish.split,)})})


def _first_key(key: str, content: Mapping[str, Any]) -> str:
    """The first dotted key below one, itself if nothing is below it."""
    inner = content[key]
    if not isinstance(inner, Mapping) or not inner:
        return key
    return f"{key}.{_first_key(next(iter(inner)), inner)}"
