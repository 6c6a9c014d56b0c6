"""One table as data: column groups, rows, and cells that know what they are sure of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

CellStatus = Literal["ok", "oom", "failed", "not-run", "not-measured", "left-out"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        group: heading over neighbouring columns, such as the split; may be empty.
        label: heading of the column itself, such as the metric.
        unit: base unit of the values: ``fraction`` (shown in percent), ``points`` (a difference
            of two fractions, shown signed), ``share``, ``seconds``, ``bytes``, ``parameters``,
            ``count``, ``ratio`` (how many times as much), ``error`` (relative), ``exponent``,
            ``per-second`` or ``text``.
        higher_is_better: direction of the arrow; None for no arrow.
        dataset: heading over neighbouring groups, where a table is about several data sets.
    """

    group: str
    label: str
    unit: str
    higher_is_better: bool | None = None
    dataset: str = ""

    @property
    def place(self) -> str:
        """Data set and group in one line."""
        return f"{self.dataset} {self.group}".strip()

    @property
    def name(self) -> str:
        """Data set, group and label in one line."""
        return f"{self.place} {self.label}".strip()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value in base units, its 95 % interval, and its standing in its column.

    Attributes:
        value: None unless ``status`` is ``ok`` (and the unit is not ``text``).
        low: lower end of the interval, None if there is none.
        high: upper end.
        n: expressions, or rounds, behind the value.
        few: whether there is too little behind the value for an interval and a mark.
        best: whether it is the best of its column.
        dagger: whether it cannot be told from the best at 5 %.
        status: ``ok``, or why there is no value.
        reason: a few words for ``not-measured``, shown as ``n/a (reason)``.
        published: the paper's value for the same cell, a fraction.
        text: what stands in a column of texts; in others, a value as its source prints it.
        estimate: seconds that it would have taken, for ``left-out``.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    few: bool = False
    best: bool = False
    dagger: bool = False
    status: CellStatus = "ok"
    reason: str = ""
    published: float | None = None
    text: str = ""
    estimate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its key in the spec, its name in the paper and its cells."""

    key: str
    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows by columns; ``name`` is a slug, ``head`` the heading of the rows' names.

    ``lead`` names the columns that a narrow screen shows, where the table says so; ``chapter`` is
    a heading over neighbouring tables, ``note`` a sentence under the table.
    """

    name: str
    title: str
    head: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    lead: tuple[str, ...] = ()
    chapter: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"row {row.label} has {len(row.cells)} cells for {len(self.columns)} columns"
                )

    def by_dataset(self) -> list["Table"]:
        """A table for each data set where there are several: no page is wide enough for all."""
        names = list(dict.fromkeys(column.dataset for column in self.columns))
        if len(names) < 2:
            return [self]
        parts = [self._of_dataset(name) for name in names]
        # What holds for all of them is said once.
        return [*(replace(part, note="") for part in parts[:-1]), parts[-1]]

    def _of_dataset(self, name: str) -> "Table":
        keep = tuple(i for i, column in enumerate(self.columns) if column.dataset == name)
        part = self.only(keep)
        columns = tuple(replace(column, dataset="") for column in part.columns)
        return replace(part, title=f"{self.title}: {name}", columns=columns)

    def only(self, keep: tuple[int, ...]) -> "Table":
        """The table with the columns of these indices."""
        return replace(
            self,
            columns=tuple(self.columns[i] for i in keep),
            rows=tuple(replace(r, cells=tuple(r.cells[i] for i in keep)) for r in self.rows),
        )


def side_by_side(tables: Mapping[str, Table]) -> Table:
    """One table with the columns of several that have the same rows.

    Args:
        tables: by data set, the heading over what were a table's columns.
    """
    first = next(iter(tables.values()))
    return replace(
        first,
        columns=tuple(
            replace(column, dataset=name) for name, t in tables.items() for column in t.columns
        ),
        rows=tuple(
            replace(row, cells=tuple(cell for t in tables.values() for cell in t.rows[i].cells))
            for i, row in enumerate(first.rows)
        ),
    )
