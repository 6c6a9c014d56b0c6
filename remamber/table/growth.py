"""How time and memory grow with the image: the exponent of a power law of pixels."""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

DRAWS = 2000
LEVEL = 0.95
_SEED = 20240709


class Exponent(NamedTuple):
    """The slope of log value on log pixels: 1 is linear in pixels, 2 quadratic.

    Attributes:
        value: by least squares over all sizes.
        low: lower end of its 95 % interval, None where there is none.
        high: upper end.
        sizes: that the fit is over.
    """

    value: float
    low: float | None
    high: float | None
    sizes: int


def exponent_of_samples(samples: Mapping[int, Sequence[float]], *, name: str) -> Exponent | None:
    """The exponent of medians, and its interval by resampling each size's blocks.

    Args:
        samples: by the image's side in pixels; sides without a value are left out.
        name: of what grows; the resamples follow from it, so that a report rendered again is the
            same to the last digit.
    """
    known = {side: np.asarray(v, dtype=float) for side, v in sorted(samples.items()) if len(v)}
    if len(known) < 2:
        return None
    x = _log_pixels(list(known))
    value = _slope(x, np.log([np.median(v) for v in known.values()]))
    generator = np.random.default_rng([_SEED, zlib.crc32(name.encode())])
    drawn = [
        np.median(v[generator.integers(0, len(v), size=(DRAWS, len(v)))], axis=1)
        for v in known.values()
    ]
    slopes = np.array([_slope(x, row) for row in np.log(np.stack(drawn, axis=1))])
    low, high = np.percentile(slopes, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return Exponent(value, float(low), float(high), len(known))


def exponent_of_values(values: Mapping[int, float]) -> Exponent | None:
    """The exponent of single values; its interval is the regression's, from three sizes on.

    Args:
        values: by the image's side in pixels; what is not above zero is left out.
    """
    known = {side: value for side, value in sorted(values.items()) if value > 0}
    if len(known) < 2:
        return None
    x, y = _log_pixels(list(known)), np.log(list(known.values()))
    value = _slope(x, y)
    if len(known) < 3:
        return Exponent(value, None, None, len(known))
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(known) - 2) * fit.stderr)
    return Exponent(value, value - half, value + half, len(known))


def _log_pixels(sides: Sequence[int]) -> np.ndarray:
    logs: np.ndarray = 2 * np.log(np.asarray(sides, dtype=float))
    return logs


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred))
