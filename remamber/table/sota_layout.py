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

PROTOCOLS, PUBLISHED = "protocols", "published"
"""Name of the table of our rows, and what the names of published tables begin with."""

_LEAD = tuple(f"{dataset} val" for dataset in PAPER_NAMES)
_STANDING = Column(group="", label="metric", unit="text")


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
        at = f" (its own at {size} px)" if size else ""
        return f"{self.metric} by protocol {self.protocol}{at}"


def published_groups(sota: SotaResults) -> tuple[PublishedGroup, ...]:
    """The published rows by metric and protocol: known protocols first, unstated metrics last."""
    by_kind: dict[tuple[str, str], list[PublishedRow]] = {}
    for row in sota.published:
        by_kind.setdefault((row.metric, row.protocol), []).append(row)
    kinds = sorted(by_kind, key=lambda k: (k[0] == NOT_STATED, not k[1], k[0] != "oIoU", k))
    return tuple(
        PublishedGroup(
            name=_name(*kind),
            metric=kind[0],
            protocol=kind[1],
            rows=tuple(by_kind[kind]),
        )
        for kind in kinds
    )


def protocols_table(sota: SotaResults) -> Table | None:
    """Our rows on the lead split by every protocol: what metric and protocol alone change."""
    made = {r.dataset: t for r in sota.results if (t := _by_protocol(sota, r)) is not None}
    return side_by_side(made) if made else None


def published_table(sota: SotaResults, group: PublishedGroup) -> Table:
    """The published rows of a group, then ours that were scored so; synthetic ones never are."""
    columns = tuple(
        Column(
            group=f"{dataset} {split}",
            label=group.metric,
            unit="fraction",
            higher_is_better=True if group.metric in METRICS else None,
        )
        for dataset, split in EXPRESSIONS
    )
    printed = {row.variant: row for row in group.rows}
    return Table(
        name=group.name,
        title=group.title,
        head="Model",
        columns=(*columns, _STANDING),
        rows=(
            *(_printed(row) for row in group.rows),
            *(_own(row, group, printed.get(row.variant)) for row in _comparable(sota, group)),
        ),
        lead=tuple(c.name for c in columns if c.group in _LEAD),
    )


def partial_rows(sota: SotaResults) -> list[tuple[str, Place, int]]:
    """Our rows that scored another number of expressions than a published split has."""
    return [
        (row.label, place, found.expressions)
        for row in sota.own
        for place in EXPRESSIONS
        if (found := _of_place(row, place)) is not None and found.expressions != EXPRESSIONS[place]
    ]


def _of_place(row: OwnRow, place: Place) -> Scored | None:
    """What it reaches at a place by whatever protocol."""
    name = PAPER_NAMES[place[0]]
    return next(
        (s for (d, split, _), s in row.scores.items() if (d, split) == (name, place[1])), None
    )


def _comparable(sota: SotaResults, group: PublishedGroup) -> list[OwnRow]:
    """Our rows for a published table; those of the study stay in empty, unless synthetic."""
    if not group.protocol:
        return []
    return [
        row
        for row in sota.own
        if (row.trained and not sota.synthetic)
        or any(row.at(place, group.protocol) is not None for place in EXPRESSIONS)
    ]


def _printed(row: PublishedRow) -> Row:
    cells = (
        Cell(value=row.values[place], text=row.printed[place])
        if place in row.values
        else Cell(status="not-measured", reason="not printed")
        for place in EXPRESSIONS
    )
    return Row(key=row.variant, label=row.variant, cells=(*cells, Cell(text=row.standing)))


def _own(row: OwnRow, group: PublishedGroup, printed: PublishedRow | None) -> Row:
    found = {place: row.at(place, group.protocol) for place in EXPRESSIONS}
    cells = (
        _cell(row, place, scored, group.metric, printed.values.get(place) if printed else None)
        for place, scored in found.items()
    )
    return Row(key=row.label, label=row.label, cells=(*cells, Cell(text="ours")))


def _cell(
    row: OwnRow, place: Place, scored: Scored | None, metric: str, published: float | None
) -> Cell:
    if scored is None:
        ended = row.ended.get(PAPER_NAMES[place[0]])
        if ended in ("oom", "failed"):
            return Cell(status=ended)
        return Cell(status="not-measured")
    return _measured(scored, metric, published=published)


def _measured(scored: Scored, metric: str, *, published: float | None = None) -> Cell:
    score = scored.scores[metric]
    return Cell(
        value=score.value,
        low=score.low,
        high=score.high,
        n=scored.expressions,
        published=published,
    )


def _by_protocol(sota: SotaResults, results: Results) -> Table | None:
    """The table of one data set; None if none of our rows was scored on its lead split."""
    split = results.analysis.table.lead[0]
    data = {(r.spec.data.name, r.spec.data.fingerprint) for r in results.records}
    found = [_on(row, data, split) for row in sota.own]
    protocols = list(dict.fromkeys(p for of_row in found for p in of_row))
    if not protocols:
        return None
    return Table(
        name=PROTOCOLS,
        title=f"Ours on {split}, by protocol",
        head="Model",
        columns=tuple(c for p in protocols for c in _protocol_columns(p)),
        rows=tuple(
            Row(
                key=row.label,
                label=row.short,
                cells=tuple(c for p in protocols for c in _protocol_cells(of_row.get(p))),
            )
            for row, of_row in zip(sota.own, found, strict=True)
            # Every data set has the same rows: they stand side by side.
            if row.trained or any(_on(row, _all_data(sota), split))
        ),
        lead=tuple(f"{p} {MIXED[0]}" for p in protocols),
    )


def _all_data(sota: SotaResults) -> set[tuple[str, str]]:
    return {
        (r.spec.data.name, r.spec.data.fingerprint) for part in sota.results for r in part.records
    }


def _on(row: OwnRow, data: set[tuple[str, str]], split: str) -> dict[str, Scored]:
    """By protocol what the row reaches on the same data."""
    return {
        protocol: scored
        for (name, of_split, protocol), scored in row.scores.items()
        if of_split == split and (name, scored.fingerprint) in data
    }


def _protocol_columns(protocol: str) -> tuple[Column, ...]:
    own = (
        Column(
            group=protocol,
            label=metric,
            unit="fraction",
            higher_is_better=METRICS[metric].higher_is_better,
        )
        for metric in MIXED
    )
    return (*own, Column(group=protocol, label="mIoU − oIoU", unit="points"))


def _protocol_cells(scored: Scored | None) -> tuple[Cell, ...]:
    if scored is None:
        return (Cell(status="not-run"),) * (len(MIXED) + 1)
    first, second = (scored.scores[metric].value for metric in MIXED)
    return (*(_measured(scored, metric) for metric in MIXED), Cell(value=first - second))


def _name(metric: str, protocol: str) -> str:
    kind = ["unstated"] if metric == NOT_STATED else [metric.lower(), protocol or "convention"]
    return "-".join([PUBLISHED, *kind])
