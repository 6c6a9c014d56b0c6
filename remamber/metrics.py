"""Segmentation metrics from integer counts: mIoU, oIoU, Pr@X.

A prediction is kept as its intersection and union with the target in pixels; every metric is
computed from those, so no two places can disagree about IoU. An empty union counts as IoU 0
(the release and LAVT). mIoU = mean over expressions of I/U; oIoU = sum of I over sum of U;
Pr@X = share of expressions with IoU above X percent (strictly, as CRIS; LAVT uses >=).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Metric(NamedTuple):
    """A metric as a ratio of two sums over expressions, so that it can be resampled.

    Attributes:
        terms: (intersection n, union n) -> (numerator n, denominator n); the metric is
            sum of numerators over sum of denominators, a fraction.
        higher_is_better: direction of the arrow in a table's header.
    """

    terms: Callable[[Counts, Counts], tuple[Floats, Floats]]
    higher_is_better: bool = True


def iou(intersection: Counts, union: Counts) -> Floats:
    """IoU of every expression, a fraction; 0 where the union is empty."""
    return np.divide(
        intersection, union, out=np.zeros(len(union), dtype=np.float64), where=union > 0
    )


def _mean_iou(intersection: Counts, union: Counts) -> tuple[Floats, Floats]:
    return iou(intersection, union), np.ones(len(union))


def _overall_iou(intersection: Counts, union: Counts) -> tuple[Floats, Floats]:
    return intersection.astype(np.float64), union.astype(np.float64)


def _precision(percent: int) -> Callable[[Counts, Counts], tuple[Floats, Floats]]:
    def terms(intersection: Counts, union: Counts) -> tuple[Floats, Floats]:
        # In integers, so that an IoU of exactly X never depends on rounding.
        hit = (100 * intersection > percent * union) & (union > 0)
        return hit.astype(np.float64), np.ones(len(union))

    return terms


METRICS: dict[str, Metric] = {
    "mIoU": Metric(_mean_iou),
    "oIoU": Metric(_overall_iou),
    **{f"Pr@{x}": Metric(_precision(x)) for x in (50, 60, 70, 80, 90)},
}


def measure(name: str, intersection: Counts, union: Counts) -> float:
    """The metric of that name over all expressions, a fraction; 0 for no expressions."""
    numerator, denominator = METRICS[name].terms(intersection, union)
    total = float(denominator.sum())
    return float(numerator.sum()) / total if total else 0.0
