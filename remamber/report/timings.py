"""What the reports of times share, of kernels and of models: the frame, the file, two cautions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from remamber.plan.question import FigureView, Question
from remamber.plan.spec import KernelsSpec
from remamber.plan.speed import SpeedSpec
from remamber.plan.study import StudyRuns
from remamber.record.noise import NoiseFloor
from remamber.record.schema import Record
from remamber.report import format as fmt
from remamber.report.data import SCHEMA_VERSION, run_line, table_lines
from remamber.report.document import Document, Picture, Section
from remamber.table.model import Table


class Timings(Protocol):
    """The results of a study of times."""

    @property
    def analysis(self) -> Question:
        """What was asked."""

    @property
    def runs(self) -> StudyRuns:
        """The runs of the invocation."""

    @property
    def records(self) -> tuple[Record, ...]:
        """Those that ended."""

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """Runs without a record."""


def timings_document(
    results: Timings,
    *,
    verdict: str,
    condition: str,
    tables: tuple[Table, ...],
    notes: tuple[str, ...],
    picture: Callable[[FigureView, int], Picture],
    provenance: tuple[Section, ...],
) -> Document:
    """The report of a study of times, in no form yet."""
    return Document(
        study=results.runs.study,
        stem=results.runs.report or results.runs.study,
        title=results.analysis.title,
        paper=results.analysis.paper,
        question=results.analysis.question,
        verdict=verdict,
        banner=None,
        condition=condition,
        tables=tables,
        notes=notes,
        pictures=tuple(
            picture(view, number) for number, view in enumerate(results.analysis.figure, start=1)
        ),
        provenance=provenance,
    )


def timings_json(
    results: Timings, document: Document, *, particulars: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": document.study,
        "profile": results.runs.profile,
        "title": document.title,
        "paper": document.paper,
        "question": document.question,
        "verdict": document.verdict,
        "condition": document.condition,
        **particulars,
        "tables": {table.name: table_lines(table) for table in document.tables},
        "notes": list(document.notes),
        "runs": [run_line(record) for record in results.records],
        "unrecorded_runs": list(results.unrecorded),
        "provenance": {s.title: dict(s.lines) for s in document.provenance},
    }


def unrecorded_note(results: Timings) -> str:
    """Which runs have no record yet, empty if all have."""
    missing = results.unrecorded
    if not missing:
        return ""
    total = len(results.runs.run_ids)
    return f"{len(missing)} of {total} runs have no record yet: {fmt.listed(list(missing))}."


def mixed_note(specs: Iterable[KernelsSpec | SpeedSpec], *, what: str) -> str:
    """A warning of ``what`` (shapes, groups) that was not measured under one condition."""
    if len({(s.device, s.threads, s.machine, s.code) for s in specs}) <= 1:
        return ""
    return (
        f"Caution: the {what} were measured on different machines, devices or versions of the code;"
        " compare within a row only."
    )


def noise_words(noise: NoiseFloor | None) -> str:
    """What equal things differ by where the times were taken, for the head of a report."""
    if noise is None:
        return "noise floor not measured (doctor --self-check)"
    return f"noise floor {fmt.percent(noise.floor)} % (measured {noise.measured[:10]})"
