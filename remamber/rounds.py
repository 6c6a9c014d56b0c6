"""What interleaved rounds say of two timings: how much longer one takes, and whether that is real.

Every round holds one time of each variant, taken close together, so only times of the same round
are compared: the statistic is the log of their ratio, round by round. A drift of the machine is
then common to both.
"""

import math
import zlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

DRAWS = 2000
LEAST_ROUNDS = 5
"""Paired rounds from which an interval is given: fewer cannot be resampled."""

DELTA = 0.02
"""Differences below this share are no differences, whatever their interval."""

ALPHA = 0.05
_SEED = 20240709

Verdict = Literal["faster", "slower", "same", "unresolved"]


class RoundRatio(NamedTuple):
    """How many times longer one takes than another.

    Attributes:
        value: exp of the median over rounds of the log-ratio.
        low: lower end of its 95 % interval by resampling rounds, None for too few rounds.
        high: upper end.
        rounds: those that hold a time of both.
        p: Wilcoxon's signed-rank p that the ratio is one, None for too few rounds.
    """

    value: float
    low: float | None
    high: float | None
    rounds: int
    p: float | None = None


def round_ratio(
    above: Mapping[float, float], below: Mapping[float, float], *, name: str
) -> RoundRatio | None:
    """The ratio of two timings over the rounds that hold both, None if there is none.

    Args:
        above: seconds by round of the one that is divided.
        below: seconds by round of the other.
        name: of the comparison; the resamples follow from it, so that a report rendered again
            is the same to the last digit.
    """
    rounds = sorted(above.keys() & below.keys())
    if not rounds:
        return None
    logs = np.log([above[r] / below[r] for r in rounds])
    middle = math.exp(float(np.median(logs)))
    if len(logs) < LEAST_ROUNDS:
        return RoundRatio(middle, None, None, len(logs))
    generator = np.random.default_rng([_SEED, zlib.crc32(name.encode())])
    drawn = generator.integers(0, len(logs), size=(DRAWS, len(logs)))
    low, high = np.percentile(np.median(logs[drawn], axis=1), [2.5, 97.5])
    return RoundRatio(middle, math.exp(low), math.exp(high), len(logs), _signed_rank(logs))


def process_ratio(
    above: Mapping[float, float], below: Mapping[float, float], *, name: str
) -> RoundRatio | None:
    """The ratio of two timings of different processes, None if one holds no time.

    Nothing pairs their rounds, so both are resampled, and p is the rank-sum test's. What the
    machine did between the two is not in the interval: see the noise floor.

    Args:
        above: seconds by round of the one that is divided.
        below: seconds by round of the other.
        name: of the comparison, from which the resamples follow.
    """
    upper, lower = ([math.log(t) for t in samples.values()] for samples in (above, below))
    fewest = min(len(upper), len(lower))
    if fewest == 0:
        return None
    middle = math.exp(float(np.median(upper) - np.median(lower)))
    if fewest < LEAST_ROUNDS:
        return RoundRatio(middle, None, None, fewest)
    generator = np.random.default_rng([_SEED, zlib.crc32(name.encode())])
    medians = [
        np.median(generator.choice(logs, size=(DRAWS, len(logs))), axis=1)
        for logs in (upper, lower)
    ]
    low, high = np.percentile(medians[0] - medians[1], [2.5, 97.5])
    p = float(stats.mannwhitneyu(upper, lower).pvalue)
    return RoundRatio(middle, math.exp(low), math.exp(high), fewest, p)


def verdict_of(ratio: RoundRatio, *, delta: float = DELTA) -> Verdict:
    """What may be said of the one that was divided by the other.

    ``slower`` and ``faster`` need all three: an interval without one, a signed-rank p below
    5 %, and a difference above ``delta``. ``same`` needs the whole interval within ``delta``
    of one. All else is not resolved.

    Args:
        ratio: of the two.
        delta: the smallest difference that counts, a fraction; at least the machine's noise.
    """
    if ratio.low is None or ratio.high is None or ratio.p is None:
        return "unresolved"
    near = math.log1p(delta)
    if max(abs(math.log(ratio.low)), abs(math.log(ratio.high))) <= near:
        return "same"
    if ratio.low <= 1 <= ratio.high or ratio.p >= ALPHA or abs(math.log(ratio.value)) <= near:
        return "unresolved"
    return "slower" if ratio.value > 1 else "faster"


def _signed_rank(logs: np.ndarray) -> float:
    if not np.any(logs):
        return 1.0
    return float(stats.wilcoxon(logs).pvalue)
