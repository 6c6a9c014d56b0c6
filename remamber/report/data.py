"""A study's results for machines: one CSV line a cell, one JSON document, base units."""

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from remamber.record.schema import Record
from remamber.report.document import Document
from remamber.table.model import Cell, Column, Row, Table
from remamber.table.resample import DRAWS, LEVEL, RESAMPLING_SEED
from remamber.table.results import Results
from remamber.table.significance import ALPHA
from remamber.table.slices import Sliced

SCHEMA_VERSION = 1
_FIELDS = (
    "value", "low", "high", "n", "best", "dagger", "status", "published", "text", "estimate",
)  # fmt: skip


def csv_text(document: Document) -> str:
    """Every cell of every table as one line: table, row, column, unit, then the cell's fields."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("study", "table", "row", "group", "column", "unit", *_FIELDS))
    for table in document.for_machines():
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                place = (row.label, column.place, column.label, column.unit)
                fields = _cell(cell)
                writer.writerow(
                    (document.study, table.name, *place, *(fields.get(f, "") for f in _FIELDS))
                )
    return stream.getvalue()


def results_json(results: Sequence[Results], document: Document) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering.

    What is found on a data set stands at the top where there is one, else below its name.
    """
    first = results[0]
    found = {r.dataset: _findings(r) for r in results}
    return {
        "schema_version": SCHEMA_VERSION,
        "study": document.study,
        "profile": first.runs.profile,
        "title": document.title,
        "paper": document.paper,
        "question": document.question,
        "verdict": document.verdict,
        "banner": document.banner,
        "condition": document.condition,
        "method": {
            "unit": "image",
            "resamples": DRAWS,
            "level": LEVEL,
            "alpha": ALPHA,
            "resampling_seed": RESAMPLING_SEED,
            "test": "two-sided paired t over images, Holm over all pairs of rows of a column",
        },
        **(found[""] if len(results) == 1 else {"datasets": found}),
        "tables": {table.name: table_lines(table) for table in document.for_machines()},
        "notes": list(document.notes),
        "runs": [run_line(record) for r in results for record in r.records],
        "unrecorded_runs": [i for r in results for i in r.selection.unrecorded],
        "provenance": {s.title: dict(s.lines) for s in document.provenance},
    }


def _findings(results: Results) -> dict[str, Any]:
    lead_split, lead_metric = results.analysis.table.lead
    return {
        "synthetic": results.synthetic,
        "lead": {"split": lead_split, "metric": lead_metric},
        "splits": {
            split: {"expressions": c.expressions, "images": c.images}
            for split, c in results.by_split.items()
        },
        "p_values": _p_values(results),
        "slices": {split: _slices(found) for split, found in results.slices.items()},
        "detectable_difference": _number(results.detectable),
        "order_agreement": [_rounded(vars(order)) for order in results.orders],
        "text_control": _rounded(vars(results.control)) if results.control else None,
        "seed_differences": {
            row: _rounded(interval._asdict())
            for row, interval in results.seed_differences().items()
        },
    }


def json_text(content: dict[str, Any]) -> str:
    """JSON with a stable layout; a value that is not a number would be an error."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def table_lines(table: Table) -> list[dict[str, Any]]:
    """A table row by row, each cell with its column and its unit."""
    return [
        {"key": row.key, "label": row.label, "cells": _cells(table.columns, row)}
        for row in table.rows
    ]


def _cells(columns: tuple[Column, ...], row: Row) -> list[dict[str, Any]]:
    return [
        {
            **({"dataset": column.dataset} if column.dataset else {}),
            "group": column.group,
            "column": column.label,
            "unit": column.unit,
            **_cell(cell),
        }
        for column, cell in zip(columns, row.cells, strict=True)
    ]


def _cell(cell: Cell) -> dict[str, Any]:
    fields = {
        "value": _number(cell.value),
        "low": _number(cell.low),
        "high": _number(cell.high),
        "n": cell.n,
        "few": cell.few or None,
        "best": cell.best or None,
        "dagger": cell.dagger or None,
        "status": cell.status if not cell.reason else f"{cell.status}: {cell.reason}",
        "published": _number(cell.published),
        "text": cell.text or None,
        "estimate": _number(cell.estimate),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _p_values(results: Results) -> dict[str, dict[str, dict[str, float | None]]]:
    """Adjusted p of every row against the best row: split -> metric -> row."""
    return {
        split: {
            metric: {row: _number(c.p[r, m]) for r, row in enumerate(c.rows)}
            for m, metric in enumerate(c.metrics)
        }
        for split, c in results.by_split.items()
    }


def _slices(found: Sequence[Sliced]) -> dict[str, dict[str, dict[str, int]]]:
    """How large every slice of a split is: slicing -> slice -> expressions and images."""
    return {
        sliced.slicing.name: {
            part.label: {"expressions": part.expressions, "images": part.images}
            for part in sliced.slices
        }
        for sliced in found
    }


def run_line(record: Record) -> dict[str, Any]:
    """What a results file says of one run."""
    return {
        "run_id": record.run_id,
        "digest": record.digest,
        "seed": record.spec.seed,
        "status": record.status,
        "error": record.error,
        "wall_s": record.wall_s,
        "started": record.started,
        "finished": record.finished,
        "commit": record.environment.commit,
        "dirty": record.environment.dirty,
    }


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: _number(v) if isinstance(v, float) else v for k, v in fields.items()}


def _number(value: float | None) -> float | None:
    """Nine significant digits, so that the last bit of a sum does not change a file."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.9g}")
