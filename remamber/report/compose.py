"""From results to a document: verdict, tables, notes, figures and provenance in their places."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product

from remamber.figures import Estimate, FigureData, Series, draw
from remamber.plan.question import FigureView
from remamber.report import format as fmt
from remamber.report.document import Document, Picture
from remamber.report.notes import CEILING, notes
from remamber.report.provenance import condition, provenance
from remamber.report.verdict import verdict
from remamber.table.alterations import alterations_table
from remamber.table.compare import Comparison
from remamber.table.layout import FLOOR, bounds_table, cost_table, differences_table, results_table
from remamber.table.model import Table, side_by_side
from remamber.table.results import Results, metrics_of
from remamber.table.slices import Sliced
from remamber.table.slices_layout import slice_data, slice_tables
from remamber.table.source import Variant

SYNTHETIC = "Synthetic data, toy scale. Compare orders, not values, with the paper."


def compose(results: Sequence[Results]) -> Document:
    """Write the report of a study, in no form yet.

    Args:
        results: on each of its data sets.
    """
    first = results[0]
    return Document(
        study=first.runs.study,
        stem=first.runs.report or first.runs.study,
        title=first.analysis.title,
        paper=first.analysis.paper,
        question=first.analysis.question,
        verdict=" ".join(_of_dataset(verdict(r), r.dataset) for r in results),
        banner=SYNTHETIC if any(r.synthetic for r in results) else None,
        condition=condition([record for r in results for record in r.records]),
        tables=(*_tables(results), *_sliced(results, slice_tables)),
        data=_sliced(results, slice_data),
        notes=_notes(results),
        pictures=tuple(
            _picture(r, view, number)
            for number, (view, r) in enumerate(product(first.analysis.figure, results), start=1)
        ),
        provenance=provenance(results),
    )


def _tables(results: Sequence[Results]) -> tuple[Table, ...]:
    """Every kind of table once, with the columns of all data sets that have it."""
    makers: tuple[Callable[[Results], Table | None], ...] = (
        results_table,
        lambda r: differences_table(r) if _comparable(r) else None,
        cost_table,
        bounds_table,
        alterations_table,
    )
    found = []
    for make in makers:
        made = {r.dataset: table for r in results if (table := make(r)) is not None}
        if made:
            found.append(side_by_side(made))
    return tuple(found)


def _sliced(
    results: Sequence[Results], make: Callable[[Results], Sequence[Table]]
) -> tuple[Table, ...]:
    """Every slicing once, with the columns of all data sets whose records know it."""
    made = {r.dataset: {table.name: table for table in make(r)} for r in results}
    names = dict.fromkeys(name for tables in made.values() for name in tables)
    return tuple(
        side_by_side({d: tables[name] for d, tables in made.items() if name in tables})
        for name in names
    )


def _notes(results: Sequence[Results]) -> tuple[str, ...]:
    """What holds for all data sets once, then what is said of each."""
    of_each = [(r.dataset, notes(r)) for r in results]
    common = [note for note in of_each[0][1] if all(note in said for _, said in of_each)]
    own = [_of_dataset(n, name) for name, said in of_each for n in said if n not in common]
    return (*common, *own)


def _of_dataset(sentence: str, dataset: str) -> str:
    return f"{dataset}: {sentence}" if dataset else sentence


def _comparable(results: Results) -> bool:
    return any(len(c.rows) > 1 for c in results.by_split.values())


def _picture(results: Results, view: FigureView, number: int) -> Picture:
    if results.dataset:
        view = view.model_copy(update={"title": f"{view.title}: {results.dataset}"})
    figure = draw(view.kind, _figure_data(results, view))
    description = json.loads(figure.to_json())
    return Picture(
        slug=f"{number}-{view.kind}",
        title=view.title,
        alt=str(figure.layout.meta["alt"]),
        plotly=description,
    )


def _figure_data(results: Results, view: FigureView) -> FigureData:
    metric = view.metric if view.metric in metrics_of(results.analysis) else ""
    return FigureData(
        title=view.title,
        split=view.split,
        metric=view.metric,
        series=tuple(_series(results, v, view.split, metric) for v in results.selection.variants),
        floors=_bounds(results, FLOOR, view.metric, "all objects (floor)"),
        ceilings=_bounds(results, CEILING, view.metric, "target at stride 4 (ceiling)"),
        percent=fmt.percent,
    )


def _series(results: Results, variant: Variant, split: str, metric: str) -> Series:
    by_split, difference, best, tied = {}, None, False, False
    for name, comparison in results.by_split.items():
        if metric not in comparison.metrics or variant.label not in comparison.rows:
            continue
        row, m = comparison.rows.index(variant.label), comparison.metrics.index(metric)
        by_split[name] = _estimate(comparison, row, m)
        if name == split:
            difference = _difference(comparison, row, m)
            best, tied = comparison.is_best(row, m), comparison.is_tied(row, m)
    names = dict.fromkeys(name for record in variant.ok for name in record.curves)
    return Series(
        index=variant.index,
        label=variant.label,
        by_split=by_split,
        difference=difference,
        best=best,
        tied=tied,
        by_slice=_by_slice(results.slices.get(split, ()), variant.label, metric),
        curves={n: tuple(r.curves[n] for r in variant.ok if n in r.curves) for n in names},
    )


def _by_slice(
    found: Sequence[Sliced], label: str, metric: str
) -> Mapping[str, Mapping[str, Estimate]]:
    """What a row reaches in the slices that the page has tables of."""
    shown: dict[str, dict[str, Estimate]] = {}
    for sliced in found:
        for part in sliced.slices if sliced.divides else ():
            comparison = part.comparison
            if label in comparison.rows and metric in comparison.metrics:
                row, m = comparison.rows.index(label), comparison.metrics.index(metric)
                estimate = _estimate(comparison, row, m)
                if not math.isnan(estimate.value):
                    few = Estimate(estimate.value) if part.is_thin else estimate
                    shown.setdefault(sliced.slicing.title, {})[part.label] = few
    return shown


def _estimate(comparison: Comparison, row: int, metric: int) -> Estimate:
    value = float(comparison.value[row, metric])
    if comparison.interval is None:
        return Estimate(value)
    low, high = comparison.interval
    return Estimate(value, float(low[row, metric]), float(high[row, metric]))


def _difference(comparison: Comparison, row: int, metric: int) -> Estimate:
    value = float(comparison.difference[row, metric])
    if comparison.difference_interval is None:
        return Estimate(value)
    low, high = comparison.difference_interval
    return Estimate(value, float(low[row, metric]), float(high[row, metric]))


def _bounds(
    results: Results, bound: str, metric: str, name: str
) -> Mapping[str, tuple[str, float]]:
    return {
        split: (name, value)
        for (split, found, of), value in results.bounds.items()
        if (found, of) == (bound, metric)
    }
