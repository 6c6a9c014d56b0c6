"""Tab. 2 of the paper as it was audited: every row with the metric and protocol it really has."""

from dataclasses import dataclass
from pathlib import Path

from remamber.plan.sota import SotaView
from remamber.plan.study import studies_folder
from remamber.table.published import COLUMNS, PAPER_NAMES, load_published, read_lines

AUDIT = ("variant", "metric", "protocol", "standing", "source", "note")
NOT_STATED = "not stated"
"""What stands in the place of a metric that nobody states."""
VERIFIED = "verified"
"""Standing of a row whose metric was read where its authors say or compute it."""

Place = tuple[str, str]
"""The paper's name of a data set, and a split."""

EXPRESSIONS: dict[Place, int] = {
    ("RefCOCO", "val"): 10_834,
    ("RefCOCO", "testA"): 5_657,
    ("RefCOCO", "testB"): 5_095,
    ("RefCOCO+", "val"): 10_758,
    ("RefCOCO+", "testA"): 5_726,
    ("RefCOCO+", "testB"): 4_889,
    ("G-Ref", "val"): 4_896,
    ("G-Ref", "test"): 9_602,
}
"""Expressions of every split of the table as published (UNC's splits, UMD's for G-Ref)."""


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of the table; a place without a value was left empty there.

    Attributes:
        variant: model and backbone.
        metric: what its values are, or ``NOT_STATED``.
        protocol: how they were scored, empty where that is not known.
        standing: ``VERIFIED``, ``convention``, ``not verified`` or ``NOT_STATED``.
        source: where that is known from.
        note: what else is to be known of its values.
        values: fractions.
        printed: the same as the paper has them, percent.
    """

    variant: str
    metric: str
    protocol: str
    standing: str
    source: str
    note: str
    values: dict[Place, float]
    printed: dict[Place, str]


def published_rows(view: SotaView) -> tuple[PublishedRow, ...]:
    """The table's rows in its order.

    Raises:
        UserError: a file is missing or malformed.
    """
    values = _values(view.published)
    printed = {
        (line["variant"], line["metric"], (line["dataset"], line["split"])): line["value"]
        for line in read_lines(_file(view.published), COLUMNS)
    }
    return tuple(
        PublishedRow(
            **line,
            values={place: values[v, m, place] for v, m, place in values if (v, m) == kind},
            printed={place: printed[v, m, place] for v, m, place in printed if (v, m) == kind},
        )
        for line in read_lines(_file(view.audit), AUDIT)
        for kind in [(line["variant"], line["metric"])]
    )


def both_metrics(view: SotaView) -> dict[str, dict[str, dict[Place, float]]]:
    """Variant -> metric -> values, of models whose authors print both mIoU and oIoU.

    Raises:
        UserError: the file is missing or malformed.
    """
    found: dict[str, dict[str, dict[Place, float]]] = {}
    for (variant, metric, place), value in _values(view.both).items():
        found.setdefault(variant, {}).setdefault(metric, {})[place] = value
    return found


def _values(name: str) -> dict[tuple[str, str, Place], float]:
    return {
        (variant, metric, (dataset, split)): value
        for dataset in PAPER_NAMES
        for (split, metric, variant), value in load_published(_file(name), dataset).items()
    }


def _file(name: str) -> Path:
    return studies_folder("analysis") / name
