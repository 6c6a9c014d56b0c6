"""From features at taps to a document: tables, 3-D pictures and a results file (Fig. 5)."""

import json
from typing import Any

from remamber.figures import Cloud, FigureData, draw
from remamber.plan.question import DistributionAnalysis, FigureView
from remamber.report import format as fmt
from remamber.report.compose import SYNTHETIC
from remamber.report.data import SCHEMA_VERSION, run_line, table_lines
from remamber.report.distribution_notes import (
    distribution_condition,
    distribution_notes,
    distribution_provenance,
)
from remamber.report.distribution_verdict import distribution_verdict
from remamber.report.document import Document, Picture
from remamber.table.distribution import DistributionResults, Look, Variant
from remamber.table.distribution_layout import GROUPS, distribution_tables

_MOST_PANELS = 3


def compose_distribution(analysis: DistributionAnalysis, results: DistributionResults) -> Document:
    """Write the report of a distribution study, in no form yet."""
    synthetic = any(r.spec.data.name.startswith("synth-") for r in results.records)
    return Document(
        study=results.runs.study,
        stem=results.runs.report or results.runs.study,
        title=analysis.title,
        paper=analysis.paper,
        question=analysis.question,
        verdict=distribution_verdict(results),
        banner=SYNTHETIC if synthetic else None,
        condition=distribution_condition(results),
        tables=distribution_tables(results),
        notes=distribution_notes(results),
        pictures=_pictures(analysis, results),
        provenance=distribution_provenance(results),
    )


def distribution_json(results: DistributionResults, document: Document) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": document.study,
        "profile": results.runs.profile,
        "title": document.title,
        "paper": document.paper,
        "question": document.question,
        "verdict": document.verdict,
        "banner": document.banner,
        "condition": document.condition,
        "choice": results.wish.model_dump(mode="json", exclude={"trained"}),
        "tables": {table.name: table_lines(table) for table in document.for_machines()},
        "notes": list(document.notes),
        "runs": [run_line(record) for record in results.records],
        "unrecorded_runs": list(results.unrecorded),
        "provenance": {s.title: dict(s.lines) for s in document.provenance},
    }


def _pictures(analysis: DistributionAnalysis, results: DistributionResults) -> tuple[Picture, ...]:
    """For every figure of the analysis one of each trained model, and of the first's control."""
    shown: list[tuple[str, Look]] = []
    for place, variant in enumerate(results.variants):
        shown += _shown(variant, control=place == 0)
    return tuple(
        _picture(view, label, look, number)
        for number, (view, (label, look)) in enumerate(
            ((view, pair) for view in analysis.figure for pair in shown), start=1
        )
    )


def _shown(variant: Variant, *, control: bool) -> list[tuple[str, Look]]:
    looks = variant.looks if control else variant.looks[:1]
    return [
        (variant.label if name == "trained" else f"{variant.label}, {name}", look)
        for name, look in looks
        if look.taps
    ]


def _picture(view: FigureView, label: str, look: Look, number: int) -> Picture:
    title = f"{view.title}: {label}"
    panels = _panels(look)
    clouds = tuple(
        Cloud(tap.place, tap.block, GROUPS[name], points, look.axes(tap))
        for tap in look.taps
        if tap.place in panels
        for name, points in look.scores(tap).items()
    )
    data = FigureData(
        title=title,
        split=view.split,
        metric=view.metric,
        series=(),
        panels=panels,
        clouds=clouds,
        percent=fmt.percent,
    )
    figure = draw(view.kind, data)
    return Picture(
        slug=f"{number}-{view.kind}",
        title=title,
        alt=str(figure.layout.meta["alt"]),
        plotly=json.loads(figure.to_json()),
    )


def _panels(look: Look) -> tuple[str, ...]:
    """The places before a layer's output; the output too where there are few."""
    inside = [place for place in look.places if place != "output"]
    return tuple([*inside, *(p for p in look.places if p not in inside)][:_MOST_PANELS])
