"""The paper's claim about cost against the records of timed models, by machine and condition."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from remamber.plan.claims import CostClaim
from remamber.plan.speed import model_key
from remamber.record.schema import Record
from remamber.rounds import DELTA, RoundRatio, verdict_of
from remamber.rounds import Verdict as TimeVerdict
from remamber.table.claims import Standing, Verdict
from remamber.table.significance import holm
from remamber.table.source import RecordSource
from remamber.table.speed import Group

_NEEDED = "needed_bytes"


@dataclass(frozen=True, kw_only=True)
class CostEvidence:
    """The two models on one image size.

    Attributes:
        ratio: time of the subject over that of the rival, None if one was not timed.
        time: what may be said of the subject, after Holm over the sizes.
        memory: bytes that the subject needs over those of the rival, None if one is not known.
        lost: which of the two ran out of memory, in words; empty if none did.
    """

    image_size: int
    ratio: RoundRatio | None
    time: TimeVerdict | None
    memory: float | None
    lost: str = ""

    @property
    def is_faster(self) -> Standing:
        """Whether the subject is faster; an equal time is against it.

        Where one alone runs out of memory, the other has the better of it.
        """
        if self.lost:
            return self.is_smaller
        if self.time is None or self.time == "unresolved":
            return "open"
        return "holds" if self.time == "faster" else "fails"

    @property
    def is_smaller(self) -> Standing:
        """Whether the subject needs less memory, by more than counts as a difference."""
        if self.memory is not None:
            return "holds" if self.memory < 1 - DELTA else "fails"
        if self.lost == "rival":
            return "holds"
        return "fails" if self.lost == "subject" else "open"


@dataclass(frozen=True, kw_only=True)
class CostFinding:
    """What the records of one machine and condition say of the claim, by ascending image size."""

    claim: CostClaim
    records: tuple[Record, ...]
    machine: str
    condition: str
    evidence: tuple[CostEvidence, ...]

    def count(self, standing: Standing) -> int:
        """How many of the comparisons of time and of memory stand so."""
        return sum(s == standing for e in self.evidence for s in (e.is_faster, e.is_smaller))

    @property
    def verdict(self) -> Verdict:
        """One comparison against the claim contradicts it; only all of them confirm it."""
        if self.count("fails"):
            return "contradicted"
        return "undecided" if self.count("open") else "confirmed"


class _Place(NamedTuple):
    machine: str
    condition: tuple[str, ...]
    threads: int | None
    subject: str
    rival: str


def cost_findings(
    claim: CostClaim, records: Iterable[Record], source: RecordSource
) -> list[CostFinding]:
    """Check the claim on every machine and under every condition that has both models.

    Of several records of one image size the last one counts.

    Args:
        claim: the one among ``CLAIMS``.
        records: all that are at hand.
        source: knows how far equal things seem apart on a machine.
    """
    places: dict[_Place, dict[int, Record]] = {}
    for record in sorted(records, key=lambda r: r.finished):
        keys = _models(record, claim)
        settings = record.spec.speed
        if keys is not None and settings is not None:
            place = _Place(settings.machine, settings.condition(), settings.threads, *keys)
            places.setdefault(place, {})[settings.image_size] = record
    return [
        _finding(claim, place, [of for _, of in sorted(by_size.items())], source)
        for place, by_size in places.items()
    ]


def _models(record: Record, claim: CostClaim) -> tuple[str, str] | None:
    """Keys of the two models, the first of each name that a record has."""
    settings = record.spec.speed
    if settings is None or record.status != "ok":
        return None
    named = {m.name: model_key(m) for m in reversed(settings.models)}
    if claim.subject not in named or claim.rival not in named:
        return None
    return named[claim.subject], named[claim.rival]


def _finding(
    claim: CostClaim, place: _Place, records: Sequence[Record], source: RecordSource
) -> CostFinding:
    groups = [_group(record, source) for record in records]
    ratios = [group.ratio(place.subject, place.rival) for group in groups]
    p = {i: r.p for i, r in enumerate(ratios) if r is not None and r.p is not None}
    adjusted = dict(zip(p, holm(list(p.values())), strict=True))
    environment = records[0].environment
    return CostFinding(
        claim=claim,
        records=tuple(records),
        machine=f"{environment.cpu}, {environment.cores} cores",
        condition=", ".join((*place.condition, f"{place.subject} and {place.rival}")),
        evidence=tuple(
            _evidence(group, place, ratio._replace(p=adjusted.get(i)) if ratio else None)
            for i, (group, ratio) in enumerate(zip(groups, ratios, strict=True))
        ),
    )


def _group(record: Record, source: RecordSource) -> Group:
    settings = record.spec.speed
    noise = source.noise(settings.machine) if settings is not None else None
    return Group(label=record.run_id, settings=settings, record=record, noise=noise)


def _evidence(group: Group, place: _Place, ratio: RoundRatio | None) -> CostEvidence:
    mine, theirs = (group.memory(key, _NEEDED) for key in (place.subject, place.rival))
    lost = [
        name
        for name, key in (("subject", place.subject), ("rival", place.rival))
        if group.status(key) == "oom"
    ]
    return CostEvidence(
        image_size=group.image_size,
        ratio=ratio,
        time=verdict_of(ratio, delta=group.delta) if ratio is not None else None,
        memory=mine / theirs if mine is not None and theirs else None,
        lost=" and ".join(lost),
    )
