"""Our rows of the comparison with published systems: models trained here and weights evaluated."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from remamber.plan.question import Analysis
from remamber.plan.sota import SotaView
from remamber.plan.study import StudyRuns
from remamber.record.schema import WEIGHTS, WEIGHTS_RUN, Record
from remamber.table.counts import CountsFile, ExpressionCounts, require_same_expressions
from remamber.table.evaluated import Score, mean_scores
from remamber.table.model import CellStatus
from remamber.table.published import PAPER_NAMES
from remamber.table.results import Results, build_all
from remamber.table.sota_published import (
    EXPRESSIONS,
    Place,
    PublishedRow,
    both_metrics,
    published_rows,
)
from remamber.table.source import ReadOnce, RecordSource, datasets_of

METRICS = ("mIoU", "oIoU")
"""The two that published tables mix."""

_FULL_SIZE = "base"


class Scored(NamedTuple):
    """What a row's runs reach on one split by one protocol; means over seeds."""

    scores: dict[str, Score]
    expressions: int
    fingerprint: str


Scores = dict[tuple[str, str, str], Scored]
"""(name of the data set, split, protocol) -> what is reached."""


@dataclass(frozen=True, kw_only=True)
class OwnRow:
    """A model trained by the study, or weights that ``evaluate`` scored.

    Attributes:
        label: which model, whose training, and what sets its condition apart.
        short: the same where all rows are ours.
        variant: its row of the published table, empty if it is none of them.
        released: whether these are the weights of the authors' release.
        scores: what it reaches.
        ended: data set -> how its runs ended, where none ended well.
        evaluations: records of ``evaluate``; none for a model of the study.
    """

    label: str
    short: str
    variant: str
    released: bool = False
    scores: Scores
    ended: Mapping[str, CellStatus]
    evaluations: tuple[Record, ...] = ()

    @property
    def trained(self) -> bool:
        """Whether the study trained it."""
        return not self.evaluations

    def at(self, place: Place, protocol: str) -> Scored | None:
        """What it reaches at a place of the published table, None if not on the whole split."""
        found = self.scores.get((PAPER_NAMES[place[0]], place[1], protocol))
        return found if found is not None and found.expressions == EXPRESSIONS[place] else None


@dataclass(frozen=True, kw_only=True)
class SotaResults:
    """What a report of the comparison is written from; nothing in here is formatted.

    Attributes:
        view: the analysis' own part.
        results: the study's own comparison, by data set.
        published: the table's rows.
        both: variant -> metric -> values, of models of which both metrics are known.
        own: our rows, those of the study first.
        synthetic: whether the study's data are generated.
        quick_looks: evaluations of a sample of a split, which stand in no table.
    """

    view: SotaView
    results: tuple[Results, ...]
    published: tuple[PublishedRow, ...]
    both: dict[str, dict[str, dict[Place, float]]]
    own: tuple[OwnRow, ...]
    synthetic: bool
    quick_looks: int

    @property
    def evaluations(self) -> tuple[Record, ...]:
        """All records of ``evaluate`` that are in a row."""
        return tuple(record for row in self.own for record in row.evaluations)


def build_sota(
    analysis: Analysis, view: SotaView, runs: StudyRuns, source: RecordSource
) -> SotaResults:
    """Compute everything that the report says.

    Args:
        analysis: what to ask of the study's records.
        view: where the published numbers are.
        runs: which runs belong to the study.
        source: where records and counts are; of the others, ``evaluate``'s become rows.

    Raises:
        UserError: see ``remamber.table.results.build``; or published numbers are malformed.
    """
    once = ReadOnce(source)
    results = build_all(analysis, runs, once)
    published = published_rows(view)
    protocols = {row.protocol for row in published if row.protocol}
    lead = {r.analysis.table.lead[0] for r in results}
    names = datasets_of(runs, once)
    wanted = _Wanted(once, frozenset(protocols), frozenset(lead))
    evaluations = [r for r in once.records() if r.spec.task == "evaluate" and r.status == "ok"]
    of_use = [r for r in evaluations if r.spec.data.name in {*names, *PAPER_NAMES.values()}]
    whole = [r for r in of_use if r.spec.evaluate.limit is None]
    return SotaResults(
        view=view,
        results=results,
        published=published,
        both=both_metrics(view),
        own=(*_trained(results, names, view, wanted), *_evaluated(whole, view, wanted)),
        synthetic=any(name.startswith("synth-") for name in names),
        quick_looks=len(of_use) - len(whole),
    )


class _Wanted(NamedTuple):
    """Which counts are asked for: of these protocols all splits, of these splits all protocols."""

    source: RecordSource
    protocols: frozenset[str]
    splits: frozenset[str]

    def counts(self, record: Record) -> Iterator[tuple[str, str, ExpressionCounts]]:
        """(split, protocol, counts) of a record."""
        path = self.source.counts_path(record)
        file = CountsFile(record, path) if path is not None else None
        for protocol in record.spec.evaluate.protocols:
            for split in record.spec.data.splits:
                asked = protocol in self.protocols or split in self.splits
                if file is not None and asked and file.has(split, protocol):
                    yield split, protocol, file.of(split, protocol)


def _trained(
    results: Sequence[Results], names: Sequence[str], view: SotaView, wanted: _Wanted
) -> Iterator[OwnRow]:
    for index, first in enumerate(results[0].selection.variants):
        variants = [r.selection.variants[index] for r in results]
        records = [record for variant in variants for record in variant.ok]
        seeds = {record.spec.seed for record in records}
        several = f", mean of {len(seeds)} seeds" if len(seeds) > 1 else ""
        ended = {n: v.status for n, v in zip(names, variants, strict=False) if v.status != "ok"}
        yield OwnRow(
            label=f"{first.label}, trained here{_condition(records)}{several}",
            short=f"{first.label}{_condition(records)}{several}",
            variant=_variant(records, view),
            scores=_scores(records, wanted),
            ended=ended,
        )


def _evaluated(records: Iterable[Record], view: SotaView, wanted: _Wanted) -> Iterator[OwnRow]:
    """A row for each file of weights and size of input; the later of two scores counts."""
    by_weights: dict[tuple[str, int], list[Record]] = {}
    for record in sorted(records, key=lambda r: (r.finished, r.run_id)):
        if record.spec.weights is not None:
            key = (record.spec.weights.sha256, record.spec.data.image_size)
            by_weights.setdefault(key, []).append(record)
    for _, found in sorted(by_weights.items()):
        released = found[0].spec.weights is not None and found[0].spec.weights.holds == "released"
        scores = {place: s for record in found for place, s in _scores([record], wanted).items()}
        label = f"{_model(found[0], view)}, {_weights(found[0])}{_condition(found)}"
        yield OwnRow(
            label=label,
            short=label,
            variant=_variant(found, view),
            released=released,
            scores=scores,
            ended={},
            evaluations=tuple(found),
        )


def _scores(records: Sequence[Record], wanted: _Wanted) -> Scores:
    """Means over the records of one data set, split and protocol: they are a row's seeds."""
    found: dict[tuple[str, str, str], list[tuple[Record, ExpressionCounts]]] = {}
    for record in records:
        for split, protocol, counts in wanted.counts(record):
            place = (record.spec.data.name, split, protocol)
            found.setdefault(place, []).append((record, counts))
    return {place: _scored(place[1], pairs) for place, pairs in found.items()}


def _scored(split: str, pairs: Sequence[tuple[Record, ExpressionCounts]]) -> Scored:
    counts = [c for _, c in pairs]
    require_same_expressions(counts, [r.run_id for r, _ in pairs])
    return Scored(
        scores={score.metric: score for score in mean_scores(split, counts, METRICS)},
        expressions=len(counts[0].key),
        fingerprint=pairs[0][0].spec.data.fingerprint,
    )


def _condition(records: Sequence[Record]) -> str:
    """The size of model and input: a table may hold several."""
    sizes = dict.fromkeys(r.spec.model.size for r in records if r.spec.model.size != _FULL_SIZE)
    sides = dict.fromkeys(f"{r.spec.data.image_size} px" for r in records)
    return "".join(f", {word}" for word in (*sizes, *sides))


def _variant(records: Sequence[Record], view: SotaView) -> str:
    """The published row of the records' model, if they are of the full size."""
    found = {(r.spec.model.name, r.spec.model.size) for r in records}
    name, size = next(iter(found)) if len(found) == 1 else ("", "")
    return view.models.get(name, "") if size == _FULL_SIZE else ""


def _model(record: Record, view: SotaView) -> str:
    """What the paper calls the model."""
    name = record.spec.model.name
    return view.models.get(name, name).partition(",")[0]


def _weights(record: Record) -> str:
    """Which weights: those of a run by the end of its name, others by file and hash."""
    run, weights = record.data.get(WEIGHTS_RUN), record.spec.weights
    if run:
        return f"weights of run {str(run).rpartition('-')[2]}"
    released = weights is not None and weights.holds == "released"
    name = "released weights" if released else f"weights {record.data.get(WEIGHTS, '')}"
    return f"{name} ({weights.sha256[:8]})" if weights is not None else name
