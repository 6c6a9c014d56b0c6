"""An evaluation as its reader sees it: a block a protocol, or one JSON document."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from remamber.cli._errors import printable
from remamber.cli._evaluation import Evaluated
from remamber.cli._slices_view import slices_document
from remamber.plan.protocols import Protocol
from remamber.report import format as fmt
from remamber.table.evaluated import Score, ScoredSplit, scored_splits


def as_text(found: Evaluated, *, color: bool, width: int) -> str:
    """The metrics of every split, protocol by protocol: no table mixes two.

    Args:
        found: the evaluation.
        color: whether escape codes may be used.
        width: columns of the terminal; where a row does not fit, the intervals are left to
            ``--json``.
    """
    lines = [_condition(found)]
    for protocol, splits in _by_protocol(found):
        heading = f"protocol {protocol.name}: {protocol.summary}"
        lines += ["", f"\x1b[1m{heading}\x1b[0m" if color else heading, *_table(splits, width)]
    if found.record.warnings:
        lines += ["", *(f"- {printable(warning)}" for warning in found.record.warnings)]
    return "\n".join(lines)


def as_document(found: Evaluated) -> dict[str, Any]:
    """The same for a program; metrics are fractions, intervals hold with 95 %."""
    record = found.record
    weights = record.spec.weights
    return {
        "schema_version": 1,
        "run_id": record.run_id,
        "record": str(found.folder / "record.json"),
        "weights": {
            "file": str(found.weights),
            "holds": weights.holds if weights else None,
            "sha256": weights.sha256 if weights else None,
        },
        "data": {**record.data, "image_size": record.spec.data.image_size},
        "limit": record.spec.evaluate.limit,
        "device": record.environment.device,
        "results": [_result(found, split) for _, part in _by_protocol(found) for split in part],
        "warnings": list(record.warnings),
    }


def _condition(found: Evaluated) -> str:
    spec, data = found.record.spec, found.record.data
    weights = spec.weights.sha256[:8] if spec.weights else ""
    parts = [
        f"{found.weights.name} ({weights})",
        f"{data.get('name', spec.data.name)}, {spec.data.image_size} px",
        " ".join(spec.model.body()),
        found.record.environment.device,
    ]
    if spec.evaluate.limit is not None:
        parts.append(f"quick look, at most {fmt.count(spec.evaluate.limit)} expressions a split")
    return " · ".join(map(printable, parts))


def _by_protocol(found: Evaluated) -> list[tuple[Protocol, list[ScoredSplit]]]:
    splits = scored_splits(found.record, found.counts)
    groups = groupby(splits, key=lambda split: split.protocol)
    return [(protocol, list(part)) for protocol, part in groups]


def _table(splits: Sequence[ScoredSplit], width: int) -> list[str]:
    for detailed in (True, False):
        rows = _rows(splits, detailed=detailed)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if not detailed or sum(widths) + 2 * (len(widths) - 1) <= width:
            break
    intervals = "± half the 95 % interval over images" if detailed else "intervals: --json"
    unit = f"percent, {intervals}"
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return [*lines, unit]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = (
        cell.ljust(size) if place == 0 else cell.rjust(size)
        for place, (cell, size) in enumerate(zip(row, widths, strict=True))
    )
    return [first, *others]


def _rows(splits: Sequence[ScoredSplit], *, detailed: bool) -> list[list[str]]:
    metrics = list(dict.fromkeys(score.metric for split in splits for score in split.scores))
    rows = [["split", "expressions", "images", *metrics]]
    for split in splits:
        scores = {score.metric: score for score in split.scores}
        cells = [_cell(scores.get(metric), detailed=detailed) for metric in metrics]
        counted = [fmt.count(split.expressions), fmt.count(split.images)]
        rows.append([printable(split.split), *counted, *cells])
    return rows


def _cell(score: Score | None, *, detailed: bool) -> str:
    if score is None:
        return fmt.NOT_RUN
    value = fmt.percent(score.value)
    if not detailed or score.low is None or score.high is None:
        return value
    return f"{value} {fmt.half_interval(score.low, score.high)}"


def _result(found: Evaluated, split: ScoredSplit) -> dict[str, Any]:
    return {
        "protocol": split.protocol.name,
        "split": split.split,
        "expressions": split.expressions,
        "images": split.images,
        "no_target": split.no_target,
        "metrics": {
            score.metric: {"value": score.value, "interval": [score.low, score.high]}
            for score in split.scores
        },
        "slices": slices_document(found, split.split, protocol=split.protocol.name),
    }
