"""Segmentation metrics from integer counts: mIoU, oIoU, Pr@X, and those of no-target sets.

A prediction is kept as its intersection and union with the target in pixels, and the target's
own; every metric is computed from those, so no two places can disagree about IoU. What differs
between papers (an empty union, ``>`` or ``>=``, a small number added to the union) is read from
the named protocol.

mIoU = mean over expressions of I/U; oIoU = sum of I over sum of U; Pr@X = share of expressions
with IoU above X percent. Where expressions may have no target (gRefCOCO): gIoU = mean of I/U with
1 where target and prediction are both empty; cIoU = sum of I over sum of U, a mask predicted for
no target adding to U; N-acc and T-acc = share of the expressions without and with a target whose
predicted mask is empty and is not.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from remamber.plan.protocols import DEFAULT, find_protocol
from remamber.plan.protocols import Protocol as Scoring

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pixels(Protocol):
    """Pixels by expression; all arrays have one integer an expression."""

    @property
    def intersection(self) -> Counts:
        """Pixels in both the prediction and the target."""

    @property
    def union(self) -> Counts:
        """Pixels in either."""

    @property
    def target(self) -> Counts:
        """Pixels of the target; 0 where an expression has none."""


class PixelCounts(NamedTuple):
    """``Pixels`` as three arrays."""

    intersection: Counts
    union: Counts
    target: Counts


class Metric(NamedTuple):
    """A metric as a ratio of two sums over expressions, so that it can be resampled.

    Attributes:
        terms: (pixels, protocol) -> (numerator n, denominator n); the metric is sum of
            numerators over sum of denominators, a fraction.
        higher_is_better: direction of the arrow in a table's header.
    """

    terms: Callable[[Pixels, Scoring], tuple[Floats, Floats]]
    higher_is_better: bool = True


def iou(intersection: Counts, union: Counts, *, empty: float = 0.0, epsilon: float = 0.0) -> Floats:
    """IoU of every expression, a fraction.

    Args:
        intersection: pixels in both.
        union: pixels in either.
        empty: the IoU where the union is empty.
        epsilon: added to the union.
    """
    values = np.full(len(union), empty, dtype=np.float64)
    np.divide(intersection, union + epsilon, out=values, where=union > 0)
    return values


def _mean_iou(pixels: Pixels, protocol: Scoring) -> tuple[Floats, Floats]:
    values = iou(
        pixels.intersection, pixels.union, empty=protocol.empty_union, epsilon=protocol.epsilon
    )
    return values, np.ones(len(values))


def _overall_iou(pixels: Pixels, protocol: Scoring) -> tuple[Floats, Floats]:
    return pixels.intersection.astype(np.float64), pixels.union.astype(np.float64)


def _general_iou(pixels: Pixels, protocol: Scoring) -> tuple[Floats, Floats]:
    return iou(pixels.intersection, pixels.union, empty=1.0), np.ones(len(pixels.union))


def _precision(percent: int) -> Callable[[Pixels, Scoring], tuple[Floats, Floats]]:
    def terms(pixels: Pixels, protocol: Scoring) -> tuple[Floats, Floats]:
        # In integers, so that an IoU of exactly X never depends on rounding.
        reached, wanted = 100 * pixels.intersection, percent * pixels.union
        hit = (reached >= wanted if protocol.at_least else reached > wanted) & (pixels.union > 0)
        counted = pixels.target > 0 if protocol.targeted_only else np.ones(len(hit), dtype=bool)
        return (hit & counted).astype(np.float64), counted.astype(np.float64)

    return terms


def _no_target_accuracy(pixels: Pixels, protocol: Scoring) -> tuple[Floats, Floats]:
    without = pixels.target == 0
    return (without & (_predicted(pixels) == 0)).astype(np.float64), without.astype(np.float64)


def _target_accuracy(pixels: Pixels, protocol: Scoring) -> tuple[Floats, Floats]:
    with_one = pixels.target > 0
    return (with_one & (_predicted(pixels) > 0)).astype(np.float64), with_one.astype(np.float64)


def _predicted(pixels: Pixels) -> Counts:
    return pixels.union + pixels.intersection - pixels.target


METRICS: dict[str, Metric] = {
    "mIoU": Metric(_mean_iou),
    "oIoU": Metric(_overall_iou),
    **{f"Pr@{x}": Metric(_precision(x)) for x in (50, 60, 70, 80, 90)},
    "gIoU": Metric(_general_iou),
    "cIoU": Metric(_overall_iou),
    "N-acc": Metric(_no_target_accuracy),
    "T-acc": Metric(_target_accuracy),
}


def is_defined(name: str, pixels: Pixels, *, protocol: str = DEFAULT) -> bool:
    """Whether there is anything to take the metric of, such as an expression without a target."""
    _, denominator = METRICS[name].terms(pixels, find_protocol(protocol))
    return bool(denominator.sum() > 0)


def measure(
    name: str,
    intersection: Counts,
    union: Counts,
    *,
    target: Counts | None = None,
    protocol: str = DEFAULT,
) -> float:
    """The metric of that name over all expressions, a fraction; 0 for no expressions.

    Args:
        name: in ``METRICS``.
        intersection: pixels in both the prediction and the target.
        union: pixels in either.
        target: pixels of the target; None where every expression has one, which is then taken
            to cover the union.
        protocol: name of the protocol by which pixels became counts.
    """
    pixels = PixelCounts(intersection, union, union if target is None else target)
    numerator, denominator = METRICS[name].terms(pixels, find_protocol(protocol))
    total = float(denominator.sum())
    return float(numerator.sum()) / total if total else 0.0
