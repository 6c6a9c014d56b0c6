"""The metrics of one evaluated model: by protocol and split, with intervals over images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from remamber.plan.protocols import NO_TARGET, Protocol, find_protocol
from remamber.record.schema import Record
from remamber.table.counts import CountsFile, ExpressionCounts
from remamber.table.resample import (
    DRAWS,
    ImageSums,
    generator_for,
    image_sums,
    metric_values,
    percentile_interval,
    resampled_images,
    resampled_values,
)


class Score(NamedTuple):
    """A metric, a fraction, with the ends of its 95 % interval; no ends for a single image."""

    metric: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class ScoredSplit:
    """What one protocol says of one split."""

    protocol: Protocol
    split: str
    expressions: int
    images: int
    no_target: int
    scores: tuple[Score, ...]


def scored_splits(record: Record, counts: CountsFile) -> tuple[ScoredSplit, ...]:
    """Every protocol and split of an evaluation, protocol by protocol in the spec's order.

    Raises:
        UserError: the counts are damaged.
    """
    return tuple(
        _scored(split, counts.of(split, protocol))
        for protocol in record.spec.evaluate.protocols
        for split in record.spec.data.splits
    )


def _scored(split: str, counts: ExpressionCounts) -> ScoredSplit:
    protocol = find_protocol(counts.protocol)
    no_target = int(np.count_nonzero(counts.target == 0))
    metrics = tuple(dict.fromkeys((*protocol.metrics, *(NO_TARGET if no_target else ()))))
    images = len(np.unique(counts.image))
    return ScoredSplit(
        protocol=protocol,
        split=split,
        expressions=len(counts.key),
        images=images,
        no_target=no_target,
        scores=mean_scores(split, [counts], metrics),
    )


def mean_scores(
    split: str, counts: Sequence[ExpressionCounts], metrics: Sequence[str]
) -> tuple[Score, ...]:
    """The metrics of a split as means over runs; those that it does not define are left out.

    Args:
        split: names the resamples.
        counts: one entry a run, all over the same expressions.
        metrics: what to compute.
    """
    images = len(np.unique(counts[0].image))
    if not images:
        return ()
    sums = image_sums(counts, metrics)
    # A share of the expressions without a target means nothing where all have one.
    defined = sums.denominator[0].sum(axis=-1) > 0
    metrics = tuple(m for m, is_defined in zip(metrics, defined, strict=True) if is_defined)
    sums = ImageSums(sums.numerator[:, defined], sums.denominator[:, defined])
    values = metric_values(sums).mean(axis=0)
    if images < 2:
        return tuple(Score(m, float(v), None, None) for m, v in zip(metrics, values, strict=True))
    times = resampled_images(images, draws=DRAWS, generator=generator_for(split))
    low, high = percentile_interval(resampled_values(sums, times).mean(axis=0))
    rows = zip(metrics, values, low, high, strict=True)
    return tuple(Score(m, float(v), float(a), float(b)) for m, v, a, b in rows)
