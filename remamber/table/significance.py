"""Is a difference real? Paired p-values, Holm's correction, seeds, and what can be detected."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from remamber.metrics import Floats

ALPHA = 0.05
POWER = 0.80


class SeedInterval(NamedTuple):
    """Mean difference over seeds with its paired t-interval; ``n`` seeds."""

    mean: float
    low: float
    high: float
    n: int


def two_sided_p(differences: Floats) -> Floats:
    """Two-sided p that a difference is zero, from its bootstrap resamples (last axis).

    Twice the smaller share of resamples on either side of zero, one added to both counts so
    that p is never 0. It inverts the percentile interval: before Holm, p < 0.05 exactly where
    the 95 % interval leaves zero out (up to the resolution of the draws), so a mark and an
    interval never contradict each other. It keeps images together, takes ratios of sums and
    means over seeds as they are, and needs no exchangeability of the two rows.
    """
    draws = differences.shape[-1]
    # Rounding in the sums must not decide on which side of zero an exact tie falls.
    below = (differences <= 1e-12).sum(axis=-1)
    above = (differences >= -1e-12).sum(axis=-1)
    p: Floats = np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (draws + 1))
    return p


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of the p-values of one column (Holm 1979).

    The k-th smallest of m is multiplied by m - k + 1, and no adjusted value falls below an
    earlier one.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def seed_interval(differences: Sequence[float]) -> SeedInterval | None:
    """Paired t-interval at 95 % over seeds, None for fewer than two."""
    n = len(differences)
    if n < 2:
        return None
    mean = float(np.mean(differences))
    error = float(np.std(differences, ddof=1)) / math.sqrt(n)
    half = float(special.stdtrit(n - 1, 1 - ALPHA / 2)) * error
    return SeedInterval(mean, mean - half, mean + half, n)


def detectable_difference(standard_error: float) -> float:
    """Smallest true difference found with 80 % power at 5 % two-sided, normal approximation."""
    quantiles = float(special.ndtri(1 - ALPHA / 2)) + float(special.ndtri(POWER))
    return quantiles * standard_error
