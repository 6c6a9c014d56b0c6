"""From measured receptive fields to a document, its figures and its results file."""

import json
from typing import Any

from remamber.figures import Estimate, FigureData, Series, draw
from remamber.plan.question import FigureView, ReceptiveAnalysis
from remamber.plan.study import StudyRuns
from remamber.record.schema import WEIGHTS_RUN
from remamber.report import format as fmt
from remamber.report.compose import SYNTHETIC
from remamber.report.document import Document, Picture, Section
from remamber.report.provenance import condition, each, machine_facts
from remamber.report.receptive_notes import receptive_notes
from remamber.report.receptive_verdict import receptive_verdict
from remamber.report.timings import timings_json
from remamber.table.receptive import HALF, MOST, FieldRow, ReceptiveResults, build_receptive
from remamber.table.receptive_layout import receptive_tables
from remamber.table.source import RecordSource

_SHARES = {"half": HALF, "90": MOST}
"""A figure's metric: the share of the energy whose radius it shows."""


def compose_receptive(
    analysis: ReceptiveAnalysis, runs: StudyRuns, source: RecordSource
) -> tuple[Document, dict[str, Any]]:
    """Write the report of a study of receptive fields, in no form yet, and its results file.

    Raises:
        UserError: the arrays of a record are missing or damaged (exit 6).
    """
    results = build_receptive(analysis, runs, source)
    document = Document(
        study=runs.study,
        stem=runs.report or runs.study,
        title=analysis.title,
        paper=analysis.paper,
        question=analysis.question,
        verdict=receptive_verdict(results),
        banner=SYNTHETIC if _synthetic(results) else None,
        condition=condition(results.records),
        tables=receptive_tables(results),
        notes=receptive_notes(results),
        pictures=tuple(
            _picture(results, view, number) for number, view in enumerate(analysis.figure, start=1)
        ),
        provenance=_provenance(results),
    )
    return document, timings_json(results, document, particulars={"maps": list(results.maps)})


def _synthetic(results: ReceptiveResults) -> bool:
    return any(record.spec.data.name.startswith("synth") for record in results.records)


def _picture(results: ReceptiveResults, view: FigureView, number: int) -> Picture:
    data = FigureData(
        title=view.title,
        split=view.split,
        metric=view.metric,
        series=tuple(_series(row, results, view) for row in results.rows),
        percent=fmt.percent,
    )
    figure = draw(view.kind, data)
    return Picture(
        slug=f"{number}-{view.kind}",
        title=view.title,
        alt=str(figure.layout.meta["alt"]),
        plotly=json.loads(figure.to_json()),
    )


def _series(row: FieldRow, results: ReceptiveResults, view: FigureView) -> Series:
    share = _SHARES.get(view.metric, HALF)
    return Series(
        index=row.index,
        label=row.label,
        by_map={name: Estimate(*row.radius(name, share)) for name in results.maps},
        energy=row.maps,
        control=not row.trained,
    )


def _provenance(results: ReceptiveResults) -> tuple[Section, ...]:
    """Command, runs, weights, machine and data."""
    records = results.records
    runs = {r.run_id: f"spec {r.digest[:16]}, {fmt.seconds(r.wall_s)}, {r.status}" for r in records}
    data = {
        "name": each(records, lambda r: str(r.data.get("name", r.spec.data.name))),
        "fingerprint": each(records, lambda r: str(r.data.get("fingerprint", ""))),
        "split": each(records, lambda r: r.spec.receptive.split if r.spec.receptive else ""),
        "input": each(records, lambda r: f"resized to {r.spec.data.image_size} px square"),
    }
    sections = {
        "Command": {"command": results.runs.command or each(records, lambda r: r.command)},
        "Runs": runs,
        "Weights": {r.run_id: str(r.data.get(WEIGHTS_RUN, "")) for r in records},
        "Machine and software": machine_facts(records),
        "Data": data,
    }
    return tuple(
        Section(title=title, lines=tuple((k, v) for k, v in lines.items() if v))
        for title, lines in sections.items()
        if any(lines.values())
    )
