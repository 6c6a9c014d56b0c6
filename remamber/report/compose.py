"""From results to a document: verdict, tables, notes, figures and provenance in their places."""

import json
from collections.abc import Mapping

from remamber.figures import Estimate, FigureData, Series, draw
from remamber.plan.study import FigureView
from remamber.report import format as fmt
from remamber.report.document import Document, Picture
from remamber.report.notes import CEILING, notes
from remamber.report.provenance import condition, provenance
from remamber.report.verdict import verdict
from remamber.table.compare import Comparison
from remamber.table.layout import FLOOR, bounds_table, cost_table, differences_table, results_table
from remamber.table.results import Results, metrics_of
from remamber.table.source import Variant

SYNTHETIC = "Synthetic data, toy scale. Compare orders, not values, with the paper."


def compose(results: Results) -> Document:
    """Write the report of a study, in no form yet."""
    differences = [differences_table(results)] if _comparable(results) else []
    bounds = bounds_table(results)
    return Document(
        study=results.runs.study,
        title=results.analysis.title,
        paper=results.analysis.paper,
        question=results.analysis.question,
        verdict=verdict(results),
        banner=SYNTHETIC if results.synthetic else None,
        condition=condition(results),
        tables=(
            results_table(results),
            *differences,
            cost_table(results),
            *([bounds] if bounds else []),
        ),
        notes=notes(results),
        pictures=tuple(
            _picture(results, view, number)
            for number, view in enumerate(results.analysis.figure, start=1)
        ),
        provenance=provenance(results),
    )


def _comparable(results: Results) -> bool:
    return any(len(c.rows) > 1 for c in results.by_split.values())


def _picture(results: Results, view: FigureView, number: int) -> Picture:
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
        floors=_bounds(results, FLOOR, view.metric, "predict-all floor"),
        ceilings=_bounds(results, CEILING, view.metric, "stride-4 ceiling"),
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
        curves={n: tuple(r.curves[n] for r in variant.ok if n in r.curves) for n in names},
    )


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
