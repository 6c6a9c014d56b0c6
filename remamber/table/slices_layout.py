"""The tables of slices: rows by slice in the lead column, and all of them for machines."""

import math
from collections.abc import Iterator, Sequence

from remamber.metrics import METRICS
from remamber.table.layout import head
from remamber.table.model import Cell, Column, Row, Table
from remamber.table.results import Results
from remamber.table.slices import FEW_IMAGES, Slice, Sliced
from remamber.table.source import Variant

CHAPTER = "Slices"
_SIZES = "In the headings: expressions on images."


def slice_tables(results: Results) -> list[Table]:
    """A table for every slicing of the lead split that has two slices or more.

    The columns are the slices, the values those of the lead metric.
    """
    split, metric = results.analysis.table.lead
    return [
        _table(results, sliced, [(split, s) for s in sliced.slices], (metric,), shown=True)
        for sliced in results.slices.get(split, ())
        if sliced.divides
    ]


def slice_data(results: Results) -> list[Table]:
    """A table for every slicing: all splits and metrics, for files that machines read."""
    names = dict.fromkeys(s.slicing.name for part in results.slices.values() for s in part)
    metrics = results.analysis.table.metrics
    found = []
    for name in names:
        of_name = [
            (split, sliced)
            for split, part in results.slices.items()
            for sliced in part
            if sliced.slicing.name == name
        ]
        places = [(split, s) for split, sliced in of_name for s in sliced.slices]
        found.append(_table(results, of_name[0][1], places, metrics, shown=False))
    return found


def _table(
    results: Results,
    sliced: Sliced,
    places: Sequence[tuple[str, Slice]],
    metrics: Sequence[str],
    *,
    shown: bool,
) -> Table:
    split, metric = results.analysis.table.lead
    title = f"{split} {metric} by {sliced.slicing.title}" if shown else sliced.slicing.title
    columns = [_column(place, part, m, shown=shown) for place, part in places for m in metrics]
    return Table(
        name=f"slices-{sliced.slicing.name}",
        title=title,
        head=head(results),
        columns=tuple(columns),
        rows=tuple(
            Row(key=v.key, label=v.label, cells=tuple(_cells(v, places, metrics)))
            for v in results.selection.variants
        ),
        chapter=CHAPTER,
        note=f"{sliced.slicing.rule} {_SIZES}{_few(part for _, part in places)}",
    )


def _column(split: str, part: Slice, metric: str, *, shown: bool) -> Column:
    few = ", few" if part.is_thin else ""
    size = f"({part.expressions:,} on {part.images:,}{few})"
    return Column(
        group=part.label if shown else f"{split}, {part.label}",
        label=size if shown else metric,
        unit="fraction",
        higher_is_better=METRICS[metric].higher_is_better,
    )


def _few(parts: Iterator[Slice]) -> str:
    if not any(part.is_thin for part in parts):
        return ""
    return f" Few: under {FEW_IMAGES} images, too few for an interval and marks."


def _cells(
    variant: Variant, places: Sequence[tuple[str, Slice]], metrics: Sequence[str]
) -> Iterator[Cell]:
    for _, part in places:
        for metric in metrics:
            yield _cell(variant, part, metric)


def _cell(variant: Variant, part: Slice, metric: str) -> Cell:
    found = part.comparison
    if variant.label not in found.rows:
        status = "not-measured" if variant.status == "ok" else variant.status
        return Cell(status=status, reason="not scored" if variant.status == "ok" else "")
    row, m = found.rows.index(variant.label), found.metrics.index(metric)
    value = float(found.value[row, m])
    if math.isnan(value):
        return Cell(status="not-measured", reason="no such expression")
    if part.is_thin or found.interval is None:
        return Cell(value=value, n=part.expressions, few=True)
    return Cell(
        value=value,
        low=float(found.interval.low[row, m]),
        high=float(found.interval.high[row, m]),
        n=part.expressions,
        best=len(found.rows) > 1 and found.is_best(row, m),
        dagger=found.is_tied(row, m),
    )
