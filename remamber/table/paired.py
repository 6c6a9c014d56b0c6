"""Paired comparison of two variants' accuracy: by split and metric, over the same images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from remamber.errors import ExitCode, UserError
from remamber.metrics import METRICS
from remamber.plan.protocols import find_protocol
from remamber.record.schema import Record
from remamber.table.counts import CountsFile, ExpressionCounts, require_same_expressions
from remamber.table.image_difference import image_difference, runs_of
from remamber.table.resample import image_sums, metric_values
from remamber.table.sides import Keys, Pair, Side
from remamber.table.significance import ALPHA, SeedInterval, holm, seed_interval

USUAL = 2
"""How many of a protocol's metrics are compared unless some are named."""

Verdict = Literal["better", "worse", "not distinguishable"]


@dataclass(frozen=True, kw_only=True)
class AccuracyDifference:
    """B against A in one metric on one split; every value is a fraction and a mean over seeds.

    Attributes:
        pair: what tells this pair from the others of the same two sides.
        difference: B minus A.
        low: lower end of its paired 95 % interval over images.
        high: upper end.
        p: two-sided, after Holm over everything that is compared together.
        seeds: the paired t-interval over seeds, None for one seed.
    """

    pair: Keys
    split: str
    protocol: str
    metric: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    expressions: int
    images: int
    seeds: SeedInterval | None

    @property
    def verdict(self) -> Verdict:
        """What may be said of B."""
        if self.p >= ALPHA:
            return "not distinguishable"
        gain = self.difference if METRICS[self.metric].higher_is_better else -self.difference
        return "better" if gain > 0 else "worse"


class _Place(NamedTuple):
    split: str
    protocol: str


def accuracy_differences(
    sides: tuple[Side, Side],
    joined: Sequence[Pair],
    *,
    splits: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> list[AccuracyDifference]:
    """Every pair on every split that both scored, Holm's correction over all of them.

    Pairs of runs that scored nothing, such as timings, are left out.

    Args:
        sides: A and B.
        joined: their pairs.
        splits: those to compare; all that both scored by default.
        metrics: names in ``METRICS``; the first two of the protocol by default.

    Raises:
        UserError: the two did not score the same expressions, have no split, protocol or seed
            in common, or scored a single image.
    """
    scored = [
        pair for pair in joined if any(r.counts for r in (*pair.a.values(), *pair.b.values()))
    ]
    found = [
        difference
        # Where nothing at all was scored, let the first pair say what it lacks.
        for pair in scored or joined
        for difference in _of_pair(sides, pair, splits=splits, metrics=metrics)
    ]
    adjusted = holm([d.p for d in found])
    return [replace(d, p=p) for d, p in zip(found, adjusted, strict=True)]


def _of_pair(
    sides: tuple[Side, Side], pair: Pair, *, splits: Sequence[str], metrics: Sequence[str]
) -> list[AccuracyDifference]:
    seeds = sorted(pair.a.keys() & pair.b.keys())
    if not seeds:
        raise _nothing_common("seed", [sorted(map(str, s)) for s in (pair.a, pair.b)])
    _require_same_data(pair.a[seeds[0]], pair.b[seeds[0]])
    files = [
        [_counts(side, records[seed]) for seed in seeds]
        for side, records in zip(sides, (pair.a, pair.b), strict=True)
    ]
    return [
        difference
        for place in _places([pair.a[seeds[0]], pair.b[seeds[0]]], files, splits)
        for difference in _on_split(pair, place, files, seeds=len(seeds), metrics=metrics)
    ]


def _require_same_data(a: Record, b: Record) -> None:
    """Ids alone do not tell: two generated sets number their images alike."""
    found = [(r.run_id, r.data.get("name"), r.data.get("fingerprint")) for r in (a, b)]
    if found[0][1:] != found[1][1:]:
        raise UserError(
            "A and B scored different data, so they cannot be compared",
            where=[f"{run}  {name} {str(digest)[:12]}" for run, name, digest in found],
            fix=["name runs on the same data set: remamber-bench list runs"],
            exit_code=ExitCode.USAGE,
            slug="different_data",
        )


def _counts(side: Side, record: Record) -> CountsFile:
    path = side.store.counts_path(record)
    if path is None:
        raise UserError(
            f"run {record.run_id} holds no counts of expressions",
            fix=["name runs that were trained or evaluated: remamber-bench list runs"],
            slug="no_counts",
        )
    return CountsFile(record, path)


def _places(
    records: Sequence[Record], files: list[list[CountsFile]], splits: Sequence[str]
) -> list[_Place]:
    protocols = [f[0].protocols for f in files]
    shared = [p for p in protocols[0] if p in protocols[1]]
    if not shared:
        raise _nothing_common("protocol", [list(p) for p in protocols])
    of_each = [r.spec.data.splits for r in records]
    wanted = splits or [s for s in of_each[0] if s in of_each[1]]
    places = [
        _Place(split, protocol)
        for split in wanted
        for protocol in shared
        if all(f.has(split, protocol) for side in files for f in side)
    ]
    if not places:
        raise _nothing_common("split", [list(s) for s in of_each])
    return places


def _on_split(
    pair: Pair,
    place: _Place,
    files: list[list[CountsFile]],
    *,
    seeds: int,
    metrics: Sequence[str],
) -> list[AccuracyDifference]:
    chosen = list(metrics) or list(find_protocol(place.protocol).metrics[:USUAL])
    counts = [f.of(place.split, place.protocol) for side in files for f in side]
    require_same_expressions(counts, [f.path.parent.name for side in files for f in side])
    sums = image_sums(counts, chosen)
    images = sums.numerator.shape[-1]
    if images < 2:
        raise UserError(
            f"split '{place.split}' has one image: images are the sample, so nothing can be said",
            fix=["compare on a split with more images"],
            slug="one_image",
        )
    of_run = metric_values(sums)
    a, b = (part.mean(axis=0) for part in (of_run[:seeds], of_run[seeds:]))
    found = image_difference(runs_of(sums, slice(seeds, None)), runs_of(sums, slice(seeds)))
    by_seed = of_run[seeds:] - of_run[:seeds]
    return [
        AccuracyDifference(
            pair=pair.keys,
            split=place.split,
            protocol=place.protocol,
            metric=metric,
            a=float(a[m]),
            b=float(b[m]),
            difference=float(b[m] - a[m]),
            low=float(found.interval.low[m]),
            high=float(found.interval.high[m]),
            p=float(found.p[m]),
            expressions=_expressions(counts),
            images=images,
            seeds=seed_interval([float(x) for x in by_seed[:, m]]),
        )
        for m, metric in enumerate(chosen)
    ]


def _expressions(counts: Sequence[ExpressionCounts]) -> int:
    return len(counts[0].key)


def _nothing_common(what: str, of_each: list[list[str]]) -> UserError:
    return UserError(
        f"A and B have no {what} in common",
        where=[
            f"{side}  {', '.join(names) or 'none'}"
            for side, names in zip("AB", of_each, strict=True)
        ],
        fix=[f"name runs with the same {what}: remamber-bench list runs"],
        exit_code=ExitCode.USAGE,
        slug=f"no_common_{what}",
    )
