"""The slices of an evaluation as its reader sees them: a block a way to divide, or plain data."""

from collections.abc import Sequence
from itertools import chain
from textwrap import wrap
from typing import Any

import numpy as np

from remamber.cli._errors import printable
from remamber.cli._evaluation import Evaluated
from remamber.report import format as fmt
from remamber.table.slice_rules import SLICINGS
from remamber.table.slices import FEW_IMAGES, Slice, Sliced, sliced_split

_LEAD = 3
"""Metrics that a narrow terminal shows, the protocol's first."""


def slices_text(found: Evaluated, *, color: bool, width: int) -> list[str]:
    """Lines: the metrics of every slice, protocol by protocol and split by split.

    Args:
        found: the evaluation.
        color: whether escape codes may be used.
        width: columns of the terminal; what does not fit is left to ``--json``.
    """
    lines: list[str] = []
    for protocol in found.record.spec.evaluate.protocols:
        for split in found.record.spec.data.splits:
            heading = f"slices of {printable(split)}, protocol {protocol}"
            lines += ["", f"\x1b[1m{heading}\x1b[0m" if color else heading]
            sliced = sliced_split(found.record, found.counts, split, protocol=protocol)
            lines += [*_grid(sliced, width), *_remarks(sliced, width)]
    return lines


def slices_document(found: Evaluated, split: str, *, protocol: str) -> dict[str, Any]:
    """The same of one split for a program: slicing -> slice -> its size and its metrics."""
    return {
        sliced.slicing.name: {part.label: _plain(part) for part in sliced.slices}
        for sliced in sliced_split(found.record, found.counts, split, protocol=protocol)
    }


def _grid(found: Sequence[Sliced], width: int) -> list[str]:
    """All slices under one heading: every metric with its interval, or as much as fits."""
    shown = [sliced for sliced in found if sliced.divides]
    if not shown:
        return []
    metrics = shown[0].slices[0].comparison.metrics
    for names, detailed in ((metrics, True), (metrics[:_LEAD], True), (metrics[:_LEAD], False)):
        rows = _rows(shown, names, detailed=detailed)
        lines = _aligned(rows)
        if max(map(len, lines)) <= width:
            break
    left = "" if len(names) == len(metrics) and detailed else "; more: --json"
    return [*lines, f"percent{', ± half the 95 % interval' if detailed else ''}{left}"]


def _rows(shown: Sequence[Sliced], metrics: Sequence[str], *, detailed: bool) -> list[list[str]]:
    rows = [["slice", "expressions", "images", *metrics]]
    for sliced in shown:
        rows.append([f"by {sliced.slicing.title}"])
        for part in sliced.slices:
            mark = "*" if part.is_thin else ""
            cells = [_cell(part, m, detailed=detailed) for m in range(len(metrics))]
            counted = [fmt.count(part.expressions), fmt.count(part.images) + mark]
            rows.append([f"  {part.label}", *counted, *cells])
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side; a row of one cell is a heading, as long as it likes."""
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    return [
        "  ".join(
            cell.ljust(size) if place == 0 else cell.rjust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def _remarks(found: Sequence[Sliced], width: int) -> list[str]:
    known = {sliced.slicing.name for sliced in found}
    missing = [s.title for s in SLICINGS if s.name not in known]
    said = [f"{s.slicing.title}: {s.slicing.rule}" for s in found if s.divides]
    said += [
        f"{s.slicing.title}: all expressions are '{s.slices[0].label}'"
        for s in found
        if not s.divides
    ]
    if any(part.is_thin for sliced in found for part in sliced.slices):
        said.append(f"*: under {FEW_IMAGES} images, too few for an interval")
    if missing:
        said.append(f"not recorded: {', '.join(missing)}; --fresh scores again and records it")
    lines = (
        wrap(text, max(width, 40), initial_indent="- ", subsequent_indent="  ") for text in said
    )
    return list(chain.from_iterable(lines))


def _cell(part: Slice, metric: int, *, detailed: bool) -> str:
    value, ends = _value(part, metric), _ends(part, metric)
    if value is None:
        return fmt.NOT_RUN
    return fmt.percent(value) + (f" {fmt.half_interval(*ends)}" if ends and detailed else "")


def _value(part: Slice, metric: int) -> float | None:
    value = float(part.comparison.value[0, metric])
    return None if np.isnan(value) else value


def _ends(part: Slice, metric: int) -> tuple[float, float] | None:
    interval = part.comparison.interval
    if part.is_thin or interval is None:
        return None
    return float(interval.low[0, metric]), float(interval.high[0, metric])


def _plain(part: Slice) -> dict[str, Any]:
    metrics = {
        name: {"value": value, "interval": list(_ends(part, m) or (None, None))}
        for m, name in enumerate(part.comparison.metrics)
        if (value := _value(part, m)) is not None
    }
    return {"expressions": part.expressions, "images": part.images, "metrics": metrics}
