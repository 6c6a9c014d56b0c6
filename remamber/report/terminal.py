"""A document on a terminal: as many columns as its width holds, the lead ones first."""

from collections.abc import Callable, Iterable
from io import StringIO
from typing import Literal

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from remamber.report.cells import heading, unit_line, words
from remamber.report.document import Document
from remamber.table.model import Cell, Column, Table
from remamber.table.slices_layout import CHAPTER

_LEAD_METRICS = ("mIoU", "oIoU")
_LEAD_COSTS = ("Parameters total", "Parameters fusion", "Training step", "Training steps", "seeds")
Detail = Literal["paper", "spread", "value", "tall"]
"""How full a cell is; ``tall`` is the value alone, under a heading of a word a line."""
_SHOWN = (
    *("results", "cost", "forward", "training", "fused", "start-up"),
    *("time", "model-memory", "growth"),
    *("protocols", "means", "claims", "radius"),
)
_PUBLISHED = "published-"


def terminal(document: Document, *, color: bool, width: int, slices: bool = False) -> str:
    """Render a document for a terminal of that many columns.

    Args:
        document: what to render.
        color: whether escape codes may be used.
        width: columns of the terminal.
        slices: show the tables of slices too.
    """
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(_plain(f"{document.title} ({document.paper})", style="bold"))
    if document.banner:
        console.print(Text(document.banner, style="bold yellow"))
    console.print(_plain(document.condition, style="dim"))
    for table in document.tables:
        if _is_shown(table, slices=slices):
            parts = table.by_dataset()
            for part in parts:
                console.print()
                console.print(_fitting(part, console, titled=len(parts) > 1))
                if part.note:
                    console.print(_plain(part.note, style="dim"))
    console.print()
    console.print(_plain(document.verdict, style="bold"))
    for note in (*(g.words for g in document.galleries), *document.notes):
        console.print(_plain(f"- {note}", style="dim"))
    output = console.file
    text = output.getvalue() if isinstance(output, StringIO) else ""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _is_shown(table: Table, *, slices: bool) -> bool:
    if table.chapter == CHAPTER:
        return slices
    return table.name in _SHOWN or table.name.startswith(_PUBLISHED)


def _plain(text: str, *, style: str = "") -> Text:
    """Text without the control characters that a record from elsewhere may hold."""
    return Text("".join(c if c.isprintable() else " " for c in text), style=style)


def _fitting(table: Table, console: Console, *, titled: bool) -> Grid:
    """The fullest of several selections of columns that fits, else the smallest."""
    unbounded = console.options.update(max_width=10_000)
    grid = Grid()
    for chosen, detail in _choices(table):
        grid = _grid(chosen, detail=detail, titled=titled)
        if Measurement.get(console, unbounded, grid).maximum <= console.width:
            return grid
    return grid


def _choices(table: Table) -> Iterable[tuple[Table, Detail]]:
    if table.lead:
        yield table, "paper"
        yield _measured(table), "paper"
        lead = _with(table, lambda column: column.name in table.lead)
        yield from ((lead, "spread"), (lead, "value"), (lead, "tall"))
        return
    if table.chapter:
        yield from ((table, "paper"), (table, "value"))
        return
    if table.name != "results":
        lead = _with(table, lambda column: column.name in _LEAD_COSTS)
        yield from ((table, "paper"), (lead, "paper"), (lead, "value"), (lead, "tall"))
        return
    lead = _with(table, lambda column: column.label in _LEAD_METRICS)
    first = _with(lead, lambda column: column.label == lead.columns[0].label)
    yield from ((table, "paper"), (lead, "paper"), (first, "paper"))
    yield from ((first, "spread"), (first, "value"), (first, "tall"))


def _with(table: Table, wanted: Callable[[Column], bool]) -> Table:
    keep = tuple(i for i, column in enumerate(table.columns) if wanted(column))
    return table.only(keep) if keep else table


def _measured(table: Table) -> Table:
    """Without the columns that hold no value at all."""
    filled = [
        any(row.cells[i].status == "ok" for row in table.rows) for i in range(len(table.columns))
    ]
    keep = tuple(i for i, is_filled in enumerate(filled) if is_filled)
    return table.only(keep) if keep else table


def _grid(table: Table, *, detail: Detail, titled: bool) -> Grid:
    unit = unit_line(table)
    spread = detail in ("paper", "spread") and any(
        c.low is not None for row in table.rows for c in row.cells
    )
    caption = f"{unit}, ± half the 95 % interval" if unit == "percent" and spread else unit
    title = table.title if titled or table.name not in ("results", "cost") else None
    grid = Grid(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        caption=caption or None,
        caption_justify="left",
    )
    head, *headings = _headings(table, tall=detail == "tall")
    grid.add_column(head, no_wrap=True)
    for text in headings:
        grid.add_column(text, justify="right", no_wrap=True)
    for row in table.rows:
        cells = zip(table.columns, row.cells, strict=True)
        grid.add_row(_plain(row.label), *(_cell(c, cell, detail=detail) for c, cell in cells))
    return grid


def _headings(table: Table, *, tall: bool) -> list[str]:
    """Of the rows' names and of each column: its group's words over its own, all equally high."""
    before = ["", *(column.group for column in table.columns)]
    groups = [
        "",
        *(c.group if c.group != b else "" for b, c in zip(before, table.columns, strict=False)),
    ]
    names = [table.head, *(heading(column) for column in table.columns)]
    if tall:
        groups, names = (["\n".join(t.split()) for t in texts] for texts in (groups, names))
    return ["\n".join(pair) for pair in zip(_level(groups), _level(names), strict=True)]


def _level(texts: list[str]) -> list[str]:
    """With empty lines above, so that all have as many."""
    most = max(text.count("\n") for text in texts)
    return ["\n" * (most - text.count("\n")) + text for text in texts]


def _cell(column: Column, cell: Cell, *, detail: Detail) -> Text:
    shown = words(column, cell)
    is_bare = cell.status != "ok" and detail in ("value", "tall")
    value = shown.value.split(" (")[0] if is_bare else shown.value
    text = Text(value, style="bold green" if cell.best else "")
    # A star beside the bold: bold is lost where the output has no escape codes.
    text.append("*" if cell.best and column.unit == "fraction" else shown.mark)
    parts = {"paper": (shown.spread, shown.paper), "spread": (shown.spread,)}.get(detail, ())
    for part in filter(None, parts):
        text.append(f" {part}", style="dim not bold")
    return text
