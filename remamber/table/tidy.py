"""Records as a tidy frame: one line a measured number, or one line that says how a run ended."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from remamber.record.schema import Measurement, Record
from remamber.table.source import Selection

COLUMNS = (
    "run", "row", "task", "model", "size", "fusion", "scan_order", "dataset", "split", "control",
    "protocol", "part", "image_size", "seed", "metric", "value", "unit", "n", "device",
    "scan_backend", "commit", "status",
)  # fmt: skip


def tidy(selection: Selection) -> pd.DataFrame:
    """All measurements of a study's training runs.

    Returns:
        A frame with ``COLUMNS``; values in base units. A failed run is one line without metric,
        with its status. ``part`` is the part of a model or the kind of memory; ``n`` the
        expressions of the split. Of several protocols only the one that the record names first
        is there, so that no column mixes two.
    """
    lines = [
        line
        for variant in selection.variants
        for record in (*variant.ok, *variant.failed)
        for line in _lines(record, variant.label)
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def median(frame: pd.DataFrame, row: str, metric: str, *, part: str | None = None) -> float | None:
    """The median over a row's seeds of a measurement that no split qualifies.

    Returns:
        The value in base units, None if no run of the row has it.
    """
    chosen = frame[(frame["row"] == row) & (frame["metric"] == metric)]
    if part is not None:
        chosen = chosen[chosen["part"] == part]
    return float(chosen["value"].median()) if len(chosen) else None


def _lines(record: Record, row: str) -> Iterable[dict[str, Any]]:
    spec = record.spec
    base: dict[str, Any] = {
        "run": record.run_id,
        "row": row,
        "task": spec.task,
        "model": spec.model.name,
        "size": spec.model.size,
        "fusion": spec.model.fusion.name if spec.model.fused else "",
        "scan_order": spec.model.fusion.scan_order if spec.model.fused else "",
        "dataset": spec.data.name,
        "image_size": spec.data.image_size,
        "seed": spec.seed,
        "device": record.environment.device,
        "scan_backend": record.environment.scan_backend,
        "commit": record.environment.commit,
        "status": record.status,
    }
    if not record.measurements:
        return [base]
    own = [m for m in record.measurements if "protocol" not in m.where]
    return [{**base, **_measured(record, m)} for m in own]


def _measured(record: Record, measurement: Measurement) -> dict[str, Any]:
    split = measurement.where.get("split")
    return {
        "split": split,
        "control": measurement.where.get("control"),
        "protocol": record.spec.evaluate.protocol if split else None,
        "part": measurement.where.get("part") or measurement.where.get("kind"),
        "metric": measurement.metric,
        "value": measurement.value,
        "unit": measurement.unit,
        "n": record.data.get(f"{split} expressions") if split else None,
    }
