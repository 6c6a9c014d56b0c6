"""Difference of two rows in a metric, tested and bounded over images: p and interval agree.

A metric is a sum of numerators N over a sum of denominators D. If two rows A and B have one true
value, their common estimate is R = (sum N_A + sum N_B) / (sum D_A + sum D_B), and an image i puts
the difference of its residuals, (N_A - R D_A) - (N_B - R D_B), into the scale: scaled so that its
mean over images is exactly the difference of the two metrics, it changes its sign, and nothing
else, when the two rows change places on that image. Student's t of these is the test. A true
difference other than 0 is tested in the same way, with R moved apart by it; the interval holds
those that are not rejected.

Images are the unit, with all their expressions, since expressions on one image are not
independent. The bootstrap of the difference, percentile interval and all, finds a difference
between equal rows too often where images are few or a few large targets carry a sum of pixels;
so does the t-test of residuals from each row's own value (``tests/dagger_measure.py`` prints it).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from remamber.metrics import Floats
from remamber.table.resample import LEVEL, ImageSums, Interval

_EXACT_TIE = 1e-12
"""Rounding in the sums must not make a difference of what is none."""


class ImageDifference(NamedTuple):
    """A minus B; every field has one entry a metric.

    Attributes:
        value: a fraction.
        interval: of the true difference.
        standard_error: of ``value``, 0 for a single image.
        p: two-sided, of no difference; below 1 - level exactly where the interval is without 0.
    """

    value: Floats
    interval: Interval
    standard_error: Floats
    p: Floats


class _Shares(NamedTuple):
    """What images put into a difference d: ``at_none - d * by_difference``, (metrics, images)."""

    at_none: Floats
    by_difference: Floats


class _Moments(NamedTuple):
    """Variances and covariance over images of what is put in at none (x) and by difference (y)."""

    xx: Floats
    xy: Floats
    yy: Floats


def image_difference(
    a: ImageSums, b: ImageSums, *, level: float = LEVEL, together: bool = False
) -> ImageDifference:
    """Compare two rows on the same images; a row's value is the mean of its runs.

    Args:
        a: sums by image of the runs of one row, (runs, metrics, images).
        b: of the other, in the same order of images.
        level: of the interval.
        together: compare in the mean of all metrics, so that there is one entry.
    """
    at_none, by_difference = _shares(a, b)
    if together:
        at_none, by_difference = (s.mean(axis=0, keepdims=True) for s in (at_none, by_difference))
    images = at_none.shape[-1]
    value = at_none.mean(axis=-1)
    if images < 2:
        everything = Interval(np.full_like(value, -1.0), np.ones_like(value))
        return ImageDifference(value, everything, np.zeros_like(value), np.ones_like(value))
    residual = at_none - value[:, None] * by_difference
    error = residual.std(axis=-1, ddof=1) / np.sqrt(images)
    moments = _moments(at_none, by_difference)
    t_squared = float(special.stdtrit(images - 1, (1 + level) / 2) ** 2) / images
    # With too few or too unequal images no difference is rejected.
    is_bounded = t_squared * moments.yy < 1 - _EXACT_TIE
    least = np.where(is_bounded, _least_p(at_none), 1.0)
    interval = _interval(value, moments, t_squared, is_bounded)
    reaches_none = least >= 1 - level
    return ImageDifference(
        value,
        Interval(
            np.where(reaches_none, np.minimum(interval.low, 0.0), interval.low),
            np.where(reaches_none, np.maximum(interval.high, 0.0), interval.high),
        ),
        error,
        np.maximum(_student_p(value, moments.xx, images=images), least),
    )


def runs_of(sums: ImageSums, runs: slice) -> ImageSums:
    """The sums of some of the runs."""
    return ImageSums(sums.numerator[runs], sums.denominator[runs])


def _shares(a: ImageSums, b: ImageSums) -> _Shares:
    """Mean over all pairs of a run of one row with a run of the other."""
    n_a, d_a = (part[:, None] for part in a)
    n_b, d_b = (part[None] for part in b)
    total_a, total_b = (d.sum(axis=-1, keepdims=True) for d in (d_a, d_b))
    both = total_a + total_b
    common = _divided(n_a.sum(axis=-1, keepdims=True) + n_b.sum(axis=-1, keepdims=True), both)
    scale = n_a.shape[-1] * _divided(both, 2 * total_a * total_b)
    at_none = scale * (n_a - n_b - common * (d_a - d_b))
    by_difference = scale * (_divided(total_b, both) * d_a + _divided(total_a, both) * d_b)
    return _Shares(at_none.mean(axis=(0, 1)), by_difference.mean(axis=(0, 1)))


def _moments(at_none: Floats, by_difference: Floats) -> _Moments:
    x, y = (part - part.mean(axis=-1, keepdims=True) for part in (at_none, by_difference))
    return _Moments(
        *((u * v).sum(axis=-1) / (x.shape[-1] - 1) for u, v in ((x, x), (x, y), (y, y)))
    )


def _student_p(value: Floats, variance: Floats, *, images: int) -> Floats:
    error = np.sqrt(variance / images)
    is_tie = np.abs(value) <= _EXACT_TIE
    t = np.divide(np.abs(value), error, out=np.where(is_tie, 0.0, np.inf), where=error > _EXACT_TIE)
    p: Floats = 2 * special.stdtr(images - 1, -t)
    return p


def _least_p(shares: Floats) -> Floats:
    """The smallest p that exchanging the rows image by image could give.

    Where the rows differ on a handful of images only, Student's t knows more than can be known.
    """
    differing = (np.abs(shares) > _EXACT_TIE).sum(axis=-1)
    least: Floats = np.minimum(1.0, 2.0 ** (1.0 - differing))
    return least


def _interval(
    value: Floats, moments: _Moments, t_squared: float, is_bounded: NDArray[np.bool_]
) -> Interval:
    """All differences d with |value - d| <= t * standard error at d, whose square is quadratic."""
    leading = np.where(is_bounded, 1 - t_squared * moments.yy, 1.0)
    middle = value - t_squared * moments.xy
    under_root = middle**2 - leading * (value**2 - t_squared * moments.xx)
    half = np.sqrt(np.maximum(under_root, 0.0))
    low = np.where(is_bounded, (middle - half) / leading, -1.0)
    high = np.where(is_bounded, (middle + half) / leading, 1.0)
    return Interval(np.maximum(low, -1.0), np.minimum(high, 1.0))


def _divided(above: Floats, below: Floats) -> Floats:
    ratio = np.zeros(np.broadcast_shapes(above.shape, below.shape))
    return np.divide(above, below, out=ratio, where=below > 0)
