"""The paper's claims about accuracy against the records present, one condition at a time.

Records belong together whose specs differ in nothing but what the claim is about, and the seed.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import special

from remamber.metrics import METRICS
from remamber.plan.claims import AccuracyClaim
from remamber.plan.protocols import find_protocol
from remamber.record.schema import Record
from remamber.table.compare import RowCounts, same_counts
from remamber.table.counts import CountsFile
from remamber.table.image_difference import ImageDifference, image_difference, runs_of
from remamber.table.resample import image_sums, metric_values
from remamber.table.significance import ALPHA, NO_SPREAD, SeedInterval, holm, seed_interval
from remamber.table.source import RecordSource, spec_value

Standing = Literal["holds", "fails", "open"]
Verdict = Literal["confirmed", "contradicted", "undecided"]
OVERALL = "mean of all columns"
_METRICS = ("mIoU", "oIoU", "Pr@50", "Pr@70")
_FEWEST = 2
"""Images of a split without which nothing is known of the spread between them."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One difference that a claim says to be above 0, a fraction.

    Attributes:
        higher: value of the key that the claim says scores higher.
        lower: that which it says scores lower.
        split: empty for the mean of all columns.
        metric: likewise ``OVERALL``.
        low: lower end of the paired 95 % interval over images.
        high: upper end.
        p: two-sided, after Holm over all that the claim compares in this condition.
        seeds: paired t-interval over the seeds that both have, None for fewer than two.
    """

    higher: str
    lower: str
    split: str
    metric: str
    difference: float
    low: float
    high: float
    p: float
    seeds: SeedInterval | None

    @property
    def standing(self) -> Standing:
        """Whether it holds, over the images and, where there are several, over the seeds."""
        if self.p >= ALPHA:
            return "open"
        if self.difference > 0:
            return "open" if self.seeds is not None and self.seeds.low <= 0 else "holds"
        return "open" if self.seeds is not None and self.seeds.high >= 0 else "fails"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the records of one condition say of one claim.

    Attributes:
        records: on which it rests.
        evidence: what decides.
        columns: the differences in every column, with a correction of their own; what decides
            unless the claim is about their mean.
        missing: values of the key that no record has.
    """

    claim: AccuracyClaim
    records: tuple[Record, ...]
    evidence: tuple[Evidence, ...]
    columns: tuple[Evidence, ...]
    missing: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return self.records[0].spec.data.name

    @property
    def synthetic(self) -> bool:
        """Whether the data are generated."""
        return self.dataset.startswith("synth-")

    @property
    def seeds(self) -> int:
        """How many seeds the row with the fewest has."""
        rows = [spec_value(r, self.claim.key) for r in self.records]
        return min(rows.count(row) for row in rows)

    def count(self, standing: Standing) -> int:
        """How many of the differences stand so."""
        return sum(e.standing == standing for e in self.evidence)

    @property
    def verdict(self) -> Verdict:
        """One difference against a claim contradicts it; only all of them confirm it."""
        if self.count("fails"):
            return "contradicted"
        if self.missing or self.count("open"):
            return "undecided"
        return "confirmed"


def accuracy_findings(
    claim: AccuracyClaim, records: Iterable[Record], source: RecordSource
) -> list[Finding]:
    """Check a claim under every condition that has at least one of its pairs.

    Args:
        claim: one of ``CLAIMS``.
        records: all that are at hand.
        source: where their counts are.

    Raises:
        UserError: damaged counts, or rows of one condition that scored different expressions.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        if _is_checked(record) and spec_value(record, claim.key) in claim.rows:
            groups.setdefault(_condition(record, claim), []).append(record)
    found = (_finding(claim, group, source) for group in groups.values())
    return [finding for finding in found if finding is not None]


def _is_checked(record: Record) -> bool:
    """Whether it is a training of the paper's own model, its fusion and scans aside."""
    spec = record.spec
    model, fusion = spec.model, spec.model.fusion
    return (
        (spec.task, record.status, model.name) == ("train", "ok", "remamber")
        and bool(record.counts)
        and (model.backbone, model.scan_directions) == ("vmamba", "four")
        and (fusion.channel_scan, fusion.spatial_scan) == ("two-way", "selective")
        and not fusion.option_words()
    )


def _condition(record: Record, claim: AccuracyClaim) -> str:
    """Everything in the spec but what the claim is about, and the seed."""
    content: dict[str, Any] = json.loads(record.spec.canonical())
    content.pop("seed")
    content["model"]["fusion"].pop("options", None)
    inner = content
    *path, last = claim.key.split(".")
    for name in path:
        inner = inner[name]
    inner.pop(last, None)
    return json.dumps(content, sort_keys=True)


def _finding(
    claim: AccuracyClaim, records: Sequence[Record], source: RecordSource
) -> Finding | None:
    rows: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: r.spec.seed):
        rows.setdefault(spec_value(record, claim.key), []).append(record)
    pairs = [pair for pair in claim.pairs if all(value in rows for value in pair)]
    if not pairs:
        return None
    files = {
        r.run_id: CountsFile(r, path)
        for r in records
        if (path := source.counts_path(r)) is not None
    }
    cells = _cells(records[0], rows, files)
    columns = _adjusted([e for pair in pairs for e in _columns(pair, cells)])
    overall = _adjusted([_overall(pair, cells) for pair in pairs]) if claim.overall else columns
    return Finding(
        claim=claim,
        records=tuple(r for value in claim.rows for r in rows.get(value, ())),
        evidence=overall,
        columns=columns,
        missing=tuple(value for value in claim.rows if value not in rows),
    )


@dataclass(frozen=True)
class _Cells:
    """The rows on one split: differences in all metrics, and their values by seed."""

    split: str
    metrics: tuple[str, ...]
    rows: dict[str, RowCounts]

    def difference(self, pair: tuple[str, str], *, together: bool = False) -> ImageDifference:
        """Of a pair, image by image."""
        a, b = (self.rows[value] for value in pair)
        sums = image_sums(same_counts([a, b]), self.metrics)
        split = len(a.counts)
        return image_difference(
            runs_of(sums, slice(split)), runs_of(sums, slice(split, None)), together=together
        )

    def by_seed(self, pair: tuple[str, str]) -> dict[int, np.ndarray[Any, Any]]:
        """Seed -> difference in every metric, of the seeds that both rows have."""
        a, b = (
            dict(zip(row.seeds, metric_values(image_sums(row.counts, self.metrics)), strict=True))
            for row in (self.rows[value] for value in pair)
        )
        return {seed: a[seed] - b[seed] for seed in a if seed in b}


def _cells(
    record: Record, rows: dict[str, list[Record]], files: dict[str, CountsFile]
) -> list[_Cells]:
    known = find_protocol(record.spec.evaluate.protocol).metrics
    metrics = tuple(m for m in _METRICS if m in known and m in METRICS)
    return [
        _Cells(
            split,
            metrics,
            {
                value: RowCounts(
                    label=value,
                    seeds=tuple(r.spec.seed for r in of),
                    counts=tuple(files[r.run_id].of(split) for r in of),
                )
                for value, of in rows.items()
            },
        )
        for split in record.spec.data.splits
    ]


def _adjusted(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    adjusted = holm([e.p for e in evidence])
    return tuple(replace(e, p=p) for e, p in zip(evidence, adjusted, strict=True))


def _columns(pair: tuple[str, str], cells: Sequence[_Cells]) -> list[Evidence]:
    found = []
    for cell in cells:
        difference, by_seed = cell.difference(pair), cell.by_seed(pair)
        for m, metric in enumerate(cell.metrics):
            found.append(
                Evidence(
                    higher=pair[0],
                    lower=pair[1],
                    split=cell.split,
                    metric=metric,
                    difference=float(difference.value[m]),
                    low=float(difference.interval.low[m]),
                    high=float(difference.interval.high[m]),
                    p=float(difference.p[m]),
                    seeds=seed_interval([float(d[m]) for d in by_seed.values()]),
                )
            )
    return found


def _overall(pair: tuple[str, str], cells: Sequence[_Cells]) -> Evidence:
    """The mean over metrics and splits: splits share no image, so their variances add."""
    of_splits = [cell.difference(pair, together=True) for cell in cells]
    value = float(np.mean([d.value[0] for d in of_splits]))
    error = float(np.sqrt(sum(d.standard_error[0] ** 2 for d in of_splits))) / len(of_splits)
    fewest = min(len(np.unique(c.rows[pair[0]].counts[0].image)) for c in cells)
    freedom = max(fewest - 1, 1)
    half, p = float(special.stdtrit(freedom, 1 - ALPHA / 2)) * error, 1.0
    if fewest < _FEWEST:
        half = 1.0
    elif error > NO_SPREAD:
        p = 2 * float(special.stdtr(freedom, -abs(value) / error))
    by_seed = [cell.by_seed(pair) for cell in cells]
    seeds = [float(np.mean([d[seed].mean() for d in by_seed])) for seed in by_seed[0]]
    return Evidence(
        higher=pair[0],
        lower=pair[1],
        split="",
        metric=OVERALL,
        difference=value,
        low=max(value - half, -1.0),
        high=min(value + half, 1.0),
        p=p,
        seeds=seed_interval(seeds),
    )
