"""Is a difference real? Holm's correction, the interval over seeds, and what can be detected."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

ALPHA = 0.05
POWER = 0.80
NO_SPREAD = 1e-12
"""A standard error below this is rounding: two rows differ on no image, or there is but one."""


class SeedInterval(NamedTuple):
    """Mean difference over seeds with its paired t-interval; ``n`` seeds."""

    mean: float
    low: float
    high: float
    n: int


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


def detectable_difference(
    standard_error: float, *, power: float = POWER, comparisons: int = 1
) -> float:
    """Smallest true difference that a two-sided test at 5 % finds, normal approximation.

    Args:
        standard_error: of the difference.
        power: how often it is to be found.
        comparisons: of which it is one, as Holm's first step divides the 5 % among them.
    """
    level = ALPHA / comparisons
    quantiles = float(special.ndtri(1 - level / 2)) + float(special.ndtri(power))
    return quantiles * standard_error
