"""From the results of a kernel study to a document, its figures and its results file."""

import json
from typing import Any

from remamber.figures import Estimate, FigureData, Point, Roofs, Series, draw
from remamber.plan.question import FigureView
from remamber.report import format as fmt
from remamber.report.document import Document, Picture
from remamber.report.kernel_notes import kernel_condition, kernel_notes, kernel_provenance
from remamber.report.kernel_verdict import kernel_verdict
from remamber.report.timings import timings_document, timings_json
from remamber.table.kernel_layout import TITLES, kernel_tables
from remamber.table.kernels import PASSES, KernelResults, ShapeResults


def compose_kernels(results: KernelResults) -> Document:
    """Write the report of a kernel study, in no form yet."""
    return timings_document(
        results,
        verdict=kernel_verdict(results),
        condition=kernel_condition(results),
        tables=kernel_tables(results),
        notes=kernel_notes(results),
        picture=lambda view, number: _picture(results, view, number),
        provenance=kernel_provenance(results),
    )


def kernels_json(results: KernelResults, document: Document) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering."""
    particulars = {
        "subject": results.subject,
        "baseline": results.analysis.kernels.baseline,
    }
    return timings_json(results, document, particulars=particulars)


def _picture(results: KernelResults, view: FigureView, number: int) -> Picture:
    data = FigureData(
        title=view.title,
        split=view.split,
        metric=view.metric,
        series=_series(results),
        roofs=_roofs(results),
        panels=tuple(TITLES[which] for which in PASSES),
        percent=fmt.percent,
    )
    figure = draw(view.kind, data)
    return Picture(
        slug=f"{number}-{view.kind}",
        title=view.title,
        alt=str(figure.layout.meta["alt"]),
        plotly=json.loads(figure.to_json()),
    )


def _series(results: KernelResults) -> tuple[Series, ...]:
    """One for each scan that was timed, the subject first; the fused form after them."""
    pairs = [("scan", n) for n in results.names.get("scan", ())]
    pairs += [("ss2d", n) for n in results.names.get("ss2d", ()) if n == results.fused]
    timed = [(name, points) for op, name in pairs if (points := _points(results, op, name))]
    return tuple(
        Series(index=i, label=results.label(name), points=points)
        for i, (name, points) in enumerate(timed)
    )


def _points(results: KernelResults, op: str, name: str) -> tuple[Point, ...]:
    found = [
        _point(results, shape, op, name, which) for shape in results.measured for which in PASSES
    ]
    return tuple(point for point in found if point is not None)


def _point(
    results: KernelResults, shape: ShapeResults, op: str, name: str, which: str
) -> Point | None:
    seconds = shape.entry(op, name, which).seconds
    flops = shape.value("flops", **{"op": op, "pass": which})
    traffic = shape.value("perfect_bytes", **{"op": op, "pass": which})
    if seconds is None or flops is None or traffic is None:
        return None
    baseline = results.analysis.kernels.baseline
    ratio = shape.ratio(("scan", baseline), (op, name), which) if name != baseline else None
    return Point(
        place=shape.case,
        panel=TITLES[which],
        intensity=flops / traffic,
        rate=flops / seconds,
        seconds=seconds,
        speedup=Estimate(ratio.value, ratio.low, ratio.high) if ratio is not None else None,
    )


def _roofs(results: KernelResults) -> Roofs | None:
    copies = [s.value("copy_bandwidth") for s in results.measured]
    products = [s.value("product_rate") for s in results.measured]
    known = [c for c in copies if c is not None], [p for p in products if p is not None]
    if not known[0] or not known[1]:
        return None
    return Roofs(bandwidth=max(known[0]), peak=max(known[1]))
