"""A cell and a heading as words, the same in every renderer."""

from collections.abc import Callable
from typing import NamedTuple

from remamber.report import format as fmt
from remamber.table.model import Cell, Column, Table

_VALUES: dict[str, Callable[[float], str]] = {
    "fraction": fmt.percent,
    "points": fmt.points,
    "share": fmt.share,
    "seconds": fmt.seconds,
    "bytes": fmt.size,
    "parameters": fmt.parameters,
    "count": fmt.count,
    "ratio": fmt.times,
    "error": fmt.error,
    "exponent": fmt.ratio,
    "per-second": fmt.per_second,
}
_SPREADS: dict[str, Callable[[float, float], str]] = {
    "points": fmt.interval,
    "ratio": fmt.times_interval,
    "exponent": fmt.plain_interval,
}


class Words(NamedTuple):
    """The parts of a cell.

    Attributes:
        value: the number, or what stands in its place.
        mark: the dagger, or nothing.
        spread: the interval, or nothing.
        paper: the paper's value and our difference to it, or nothing.
    """

    value: str
    mark: str = ""
    spread: str = ""
    paper: str = ""

    def line(self) -> str:
        """All parts in one line."""
        return " ".join(part for part in (self.value + self.mark, self.spread, self.paper) if part)


def words(column: Column, cell: Cell) -> Words:
    """A cell for people; never NaN, and a missing value says why it is missing."""
    paper = _paper(cell)
    if cell.status != "ok":
        return Words(_missing(cell), paper=paper)
    if cell.value is None:
        return Words(cell.text)
    if column.unit == "points" and cell.best:
        return Words("best")
    mark = "†" if cell.dagger else ""
    spread = ""
    if cell.low is not None and cell.high is not None:
        spread = _SPREADS.get(column.unit, fmt.half_interval)(cell.low, cell.high)
    return Words(cell.text or _VALUES[column.unit](cell.value), mark, spread, paper)


def heading(column: Column) -> str:
    """The column's own heading with its direction."""
    arrow = {True: " ↑", False: " ↓", None: ""}[column.higher_is_better]
    return f"{column.label}{arrow}"


def full_heading(column: Column) -> str:
    """Group and heading in one line."""
    return f"{column.group} {heading(column)}".strip()


def groups(table: Table) -> list[tuple[str, int]]:
    """Neighbouring columns of one group: (heading, number of columns)."""
    found: list[tuple[str, int]] = []
    for column in table.columns:
        if found and found[-1][0] == column.group:
            found[-1] = (column.group, found[-1][1] + 1)
        else:
            found.append((column.group, 1))
    return found


def unit_line(table: Table) -> str:
    """What the numbers of a table are in, where its headings do not say it."""
    units = {column.unit for column in table.columns} - {"text"}
    if "fraction" in units and units <= {"fraction", "points"}:
        return "percent"
    if units == {"points"}:
        return "percentage points"
    return ""


def _missing(cell: Cell) -> str:
    if cell.status == "left-out":
        about = f" (about {fmt.seconds(cell.estimate)} a call)" if cell.estimate is not None else ""
        return f"not run{about}"
    named = {"oom": "OOM", "failed": "failed", "not-run": fmt.NOT_RUN}
    if cell.status in named:
        return named[cell.status]
    return f"n/a ({cell.reason})" if cell.reason else "not measured"


def _paper(cell: Cell) -> str:
    if cell.published is None:
        return ""
    shown = fmt.percent(cell.published)
    if cell.value is None:
        return f"(paper {shown})"
    return f"(paper {shown}, {fmt.points(cell.value - cell.published)})"
