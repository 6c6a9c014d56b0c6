"""The tables of the comparison with published systems: no table mixes metrics or protocols."""

from dataclasses import dataclass

from remamber.metrics import METRICS
from remamber.plan.protocols import find_protocol
from remamber.table.model import Cell, Column, Row, Table, side_by_side
from remamber.table.published import PAPER_NAMES
from remamber.table.results import Results
from remamber.table.sota import METRICS as MIXED
from remamber.table.sota import OwnRow, Scored, SotaResults
from remamber.table.sota_published import EXPRESSIONS, NOT_STATED, Place, PublishedRow

LEAD = tuple(f"{dataset} val" for dataset in PAPER_NAMES)
SOURCE = Column(group="", label="known from", unit="text")
PROTOCOLS = "protocols"
PUBLISHED = ("overall-iou", "mean-iou", "overall-iou-2", "mean-iou-2", "unstated")
"""Names of the published tables: by metric and known protocol, by metric alone, neither."""


@dataclass(frozen=True, kw_only=True)
class PublishedGroup:
    """Rows of the published table that one metric and protocol make comparable."""

    name: str
    metric: str
    protocol: str
    rows: tuple[PublishedRow, ...]

    @property
    def title(self) -> str:
        """What its values are."""
        if self.metric == NOT_STATED:
            return "Published, metric not stated or not verified: comparable with nothing"
        if not self.protocol:
            return f"Published {self.metric} by convention, protocol not known"
        size = find_protocol(self.protocol).native_size
        at = f", {size} px" if size else ""
        return f"{self.metric} by protocol {self.protocol}{at}"


def published_groups(sota: SotaResults) -> tuple[PublishedGroup, ...]:
    """The published rows by metric and protocol: known protocols first, unstated metrics last."""
    by_kind: dict[tuple[str, str], list[PublishedRow]] = {}
    for row in sota.published:
        by_kind.setdefault((row.metric, row.protocol), []).append(row)
    kinds = sorted(by_kind, key=lambda k: (k[0] == NOT_STATED, not k[1], k[0] != "oIoU", k))
    return tuple(
        PublishedGroup(
            name=_name(*kind, known=bool(kind[1])),
            metric=kind[0],
            protocol=kind[1],
            rows=tuple(by_kind[kind]),
        )
        for kind in kinds
    )


def _name(metric: str, protocol: str, *, known: bool) -> str:
    return "-".join([metric.lower().replace(" ", "-"), protocol if known else "unknown"])
