"""The rows and data sets of a study as axes: every combination, or those that were asked for."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from remamber.errors import UserError
from remamber.plan.strict_toml import Layer, merge, nested
from remamber.registry import FUSIONS, MODELS, Shelf, unknown

ROW = "row"
"""The axis of rows that set several keys at once, and how an analysis asks for their names."""

DATASET = "data.name"
"""The axis of data sets: it makes columns of a table, not rows."""

SHELVES: Mapping[str, Shelf] = {"model.name": MODELS, "model.fusion.name": FUSIONS}
"""Keys of a grid whose values are a shelf's names, which other packages may add to."""

_ABSENT = object()
_SEED = "seed"


class Axis(NamedTuple):
    """What a study varies: each value by name, and what it sets in the run, with its origin."""

    key: str
    values: Mapping[str, Layer]


class Cell(NamedTuple):
    """One combination: its place on every axis, and what that sets, later layers over earlier."""

    place: Mapping[str, str]
    layers: tuple[Layer, ...]

    @property
    def row(self) -> str:
        """Name of the table's row: its place on every axis but that of the data sets."""
        return " ".join(v for key, v in self.place.items() if key != DATASET and v)


def grid_axes(grid: Mapping[str, Iterable[Any]], *, origin: str) -> list[Axis]:
    """An axis for every dotted key of a grid; ``trained = false`` is called ``not-trained``."""
    return [
        Axis(key, {_name(key, v): (f"{origin} [grid]", nested(key, v)) for v in values})
        for key, values in grid.items()
    ]


def _name(key: str, value: object) -> str:
    if not isinstance(value, bool):
        return str(value)
    word = key.rpartition(".")[2].replace("_", "-")
    return word if value else f"not-{word}"


def require_free(
    grid: Mapping[str, Iterable[Any]], overrides: Mapping[str, Any], *, origin: str
) -> None:
    """Refuse an override of what the rows have of their own: the seed, and what the grid varies.

    Raises:
        UserError: the command line sets the seed or a key of the grid.
    """
    if _SEED in overrides:
        raise UserError(
            "the seed is not a key to set: every row has one or several",
            fix=[f"--seeds {overrides[_SEED]}"],
            slug="seed_set",
        )
    for key, values in grid.items():
        content: Any = overrides
        for part in key.split("."):
            content = content.get(part, _ABSENT) if isinstance(content, Mapping) else _ABSENT
        if content is not _ABSENT:
            raise UserError(
                f"{key} is what this study varies and cannot be set for all of its rows",
                where=[f"{origin} [grid]: {', '.join(map(str, values))}"],
                fix=[f"--only {content}", f"leave --set {key} out"],
                slug="grid_key_set",
            )


def row_axis(
    rows: Mapping[str, Mapping[str, Any]],
    *,
    origin: str,
    more: Mapping[str, Mapping[str, Any]],
) -> list[Axis]:
    """The axis of named rows; none if there are no such rows.

    Args:
        rows: name -> what its runs set.
        origin: where they stand.
        more: what some of them set besides, at one scale.

    Raises:
        UserError: there is no row of such a name; the nearest is named.
    """
    for name in more:
        if name not in rows:
            raise unknown("row", name, rows)
    values = {
        name: (f"{origin} [rows.{name}]", merge(content, more.get(name, {})))
        for name, content in rows.items()
    }
    return [Axis(ROW, values)] if values else []


def dataset_axis(
    datasets: Mapping[str, Mapping[str, Any]], *, origin: str, chosen: str | None
) -> list[Axis]:
    """The axis of data sets.

    Args:
        datasets: name -> what its runs set in ``data`` besides the name.
        origin: where they stand.
        chosen: the one that the command line names, which then is the only one; none is left
            if it is not among them.
    """
    values = {
        name: (f"{origin}.datasets.{name}]", {"data": {"name": name, **content}})
        for name, content in datasets.items()
        if chosen is None or name == chosen
    }
    return [Axis(DATASET, values)] if values else []


def cells(axes: Sequence[Axis], only: Iterable[str]) -> list[Cell]:
    """All combinations in order, or those that ``only`` asks for.

    Args:
        axes: the last one varies fastest.
        only: values, or KEY=VALUE with the end of an axis's key; several of one axis are
            alternatives, those of different axes must all hold.

    Raises:
        UserError: no axis has such a value; the nearest is named.
    """
    wanted: dict[str, list[str]] = {}
    for text in only:
        key, value = _filter(text, axes)
        wanted.setdefault(key, []).append(value)
    chosen = [_narrowed(axis, wanted[axis.key]) if axis.key in wanted else axis for axis in axes]
    keys = [axis.key for axis in chosen]
    return [
        Cell(
            place=dict(zip(keys, (name for name, _ in values), strict=True)),
            layers=tuple(layer for _, layer in values),
        )
        for values in product(*(axis.values.items() for axis in chosen))
    ]


def _narrowed(axis: Axis, wanted: Sequence[str]) -> Axis:
    """Only these values, in the axis's order; what only a shelf knows comes last."""
    own = {name: layer for name, layer in axis.values.items() if name in wanted}
    origin = next(iter(axis.values.values()))[0]
    more = {name: (origin, nested(axis.key, name)) for name in wanted if name not in own}
    return Axis(axis.key, {**own, **more})


def _filter(text: str, axes: Sequence[Axis]) -> tuple[str, str]:
    """``scan_order=channel`` or just ``channel`` as (axis, value).

    An entry of the shelf that a key names is a row too, whether the study has it or not: so a
    fusion from another package is compared with those of the paper.
    """
    name, _, value = text.rpartition("=")
    named = [a for a in axes if not name or a.key == name or a.key.endswith(f".{name}")]
    if not named:
        raise unknown("grid key", name, [axis.key for axis in axes])
    for axis in named:
        if value in axis.values:
            return axis.key, value
    for axis in named:
        if axis.key in SHELVES and value in SHELVES[axis.key].names():
            return axis.key, value
    raise unknown("variant", value, [v for axis in named for v in axis.values])
