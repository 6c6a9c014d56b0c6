"""Cluster bootstrap over images: every metric of every run from the same resampled images.

A metric is a sum of numerators over a sum of denominators. Expressions on one image are not
independent, so images are drawn, with all their expressions, and the sums formed again.
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remamber.metrics import METRICS, Floats
from remamber.plan.protocols import find_protocol
from remamber.table.counts import ExpressionCounts

DRAWS = 2000
LEVEL = 0.95
RESAMPLING_SEED = 20240709
"""Fixed, so that a report rendered again from the same records is the same to the last digit."""


class ImageSums(NamedTuple):
    """Numerators and denominators summed by image, each of shape (runs, metrics, images)."""

    numerator: Floats
    denominator: Floats


class Interval(NamedTuple):
    """Ends of an interval, arrays of one shape."""

    low: Floats
    high: Floats


def image_sums(counts: Sequence[ExpressionCounts], metrics: Sequence[str]) -> ImageSums:
    """Sum the terms of every metric by image.

    Args:
        counts: one entry a run, all over the same expressions in the same order.
        metrics: names in ``remamber.metrics.METRICS``.
    """
    images, place = np.unique(counts[0].image, return_inverse=True)
    sums = np.empty((2, len(counts), len(metrics), len(images)))
    for run, expressions in enumerate(counts):
        for m, name in enumerate(metrics):
            terms = METRICS[name].terms(expressions, find_protocol(expressions.protocol))
            for part, term in enumerate(terms):
                sums[part, run, m] = np.bincount(place, weights=term, minlength=len(images))
    return ImageSums(sums[0], sums[1])


def generator_for(name: str) -> np.random.Generator:
    """The source of the resamples of one column of a report."""
    return np.random.default_rng([RESAMPLING_SEED, zlib.crc32(name.encode())])


def resampled_images(images: int, *, draws: int, generator: np.random.Generator) -> Floats:
    """How often every image was drawn, with replacement, in every resample: (draws, images)."""
    drawn = generator.integers(0, images, size=(draws, images))
    drawn += np.arange(draws)[:, None] * images
    times = np.bincount(drawn.ravel(), minlength=draws * images)
    return times.reshape(draws, images).astype(np.float64)


def metric_values(sums: ImageSums) -> Floats:
    """The metrics on all images: (runs, metrics); 0 where the denominator is 0."""
    return _ratio(sums.numerator.sum(axis=-1), sums.denominator.sum(axis=-1))


def resampled_values(sums: ImageSums, times: Floats) -> Floats:
    """The metrics on every resample: (runs, metrics, draws); 0 where the denominator is 0."""
    runs, metrics, images = sums.numerator.shape
    # One matrix product each: over a stack of matrices numpy would leave the fast path.
    resummed = [part.reshape(-1, images) @ times.T for part in sums]
    numerator, denominator = (part.reshape(runs, metrics, -1) for part in resummed)
    return _ratio(numerator, denominator)


def percentile_interval(values: Floats, *, level: float = LEVEL) -> Interval:
    """Percentile interval over the last axis, the resamples."""
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(values, [tail, 100 - tail], axis=-1)
    return Interval(low, high)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
