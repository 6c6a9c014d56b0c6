"""What a claim needs: how many images and seeds show a difference, and what a split can show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from remamber.metrics import METRICS, Floats
from remamber.table.compare import RowCounts, same_counts
from remamber.table.image_difference import image_difference, runs_of
from remamber.table.resample import ImageSums, image_sums, metric_values
from remamber.table.significance import ALPHA, NO_SPREAD, POWER, detectable_difference

MOST_SEEDS = 10_000
"""Where more would be needed, no number is given."""

_SPREADS = 2000


class SeedSpread(NamedTuple):
    """Standard deviation over seeds of a paired difference, and its own 95 % interval."""

    sd: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True, kw_only=True)
class PairPower:
    """One row against another in a metric on a split; differences are fractions.

    Attributes:
        row: label of the one.
        against: label of the other, the best of the column in a study.
        difference: the first minus the second.
        standard_error: over images.
        independent_error: what it would be if all expressions were independent.
        spread: over seeds, None where both have fewer than two in common.
    """

    row: str
    against: str
    difference: float
    standard_error: float
    independent_error: float
    spread: SeedSpread | None


@dataclass(frozen=True, kw_only=True)
class CellPower:
    """A metric on a split: how finely it can tell rows apart.

    Attributes:
        pairs: every row against the best, or A against B.
        rows: how many rows are in the column, of which all pairs are compared.
    """

    split: str
    metric: str
    images: int
    expressions: int
    rows: int
    pairs: tuple[PairPower, ...]

    @property
    def comparisons(self) -> int:
        """How many pairs of rows Holm's correction counts."""
        return self.rows * (self.rows - 1) // 2

    @property
    def standard_error(self) -> float | None:
        """The median of the pairs that differ, None where none does: two equal rows tell nothing.

        Nor does a single image.
        """
        found = [e for pair in self.pairs if (e := pair.standard_error) > NO_SPREAD]
        return float(np.median(found)) if found else None

    @property
    def independent_expressions(self) -> float:
        """How many independent expressions would say as much as these do together."""
        shares = [
            min(1.0, (p.independent_error / p.standard_error) ** 2)
            for p in self.pairs
            if p.standard_error > NO_SPREAD
        ]
        return self.expressions * (float(np.median(shares)) if shares else 1.0)

    def detectable(self, *, power: float = POWER, in_table: bool = False) -> float | None:
        """Smallest difference that this split shows, of one pair or of any in the table.

        None where the standard error is not known.
        """
        error, comparisons = self.standard_error, self.comparisons if in_table else 1
        if error is None:
            return None
        return detectable_difference(error, power=power, comparisons=comparisons)

    def images_for(
        self, delta: float, *, power: float = POWER, in_table: bool = False
    ) -> int | None:
        """How many images like these show a difference: see ``images_needed``; None likewise."""
        error = self.standard_error
        if error is None:
            return None
        return images_needed(
            delta,
            standard_error=error,
            images=self.images,
            power=power,
            comparisons=self.comparisons if in_table else 1,
        )


def images_needed(
    delta: float,
    *,
    standard_error: float,
    images: int,
    power: float = POWER,
    comparisons: int = 1,
) -> int:
    """How many images show a true difference, normal approximation.

    Args:
        delta: the difference, a fraction.
        standard_error: of the difference on the images at hand.
        images: how many those are.
        power: how often it is to be found at 5 % two-sided.
        comparisons: of which it is one.
    """
    here = detectable_difference(standard_error, power=power, comparisons=comparisons)
    return max(2, math.ceil(images * (here / delta) ** 2))


def seeds_needed(delta: float, sd: float, *, power: float = POWER) -> int | None:
    """How many seeds a paired t-test over seeds needs, None for more than ``MOST_SEEDS``.

    Args:
        delta: the difference, in the unit of ``sd``.
        sd: standard deviation over seeds of the paired difference.
        power: how often it is to be found at 5 % two-sided.
    """
    if sd <= 0:
        return 2
    if _seed_power(MOST_SEEDS, delta / sd) < power:
        return None
    low, high = 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _seed_power(middle, delta / sd) >= power else (middle, high)
    return high


def cell_powers(
    rows: Sequence[RowCounts], split: str, metrics: Sequence[str]
) -> tuple[CellPower, ...]:
    """How finely a split can tell some rows apart: every row against the best of each metric.

    Args:
        rows: at least two.
        split: its name.
        metrics: names in ``METRICS``.

    Raises:
        UserError: the rows did not score the same expressions.
    """
    counts = same_counts(rows)
    alone = np.stack([np.arange(len(counts[0].key))] * 3, axis=1)
    sums = image_sums(counts, metrics)
    single = image_sums([c._replace(key=alone) for c in counts], metrics)
    ends = np.cumsum([len(row.counts) for row in rows])
    places = [
        slice(int(end) - len(row.counts), int(end)) for end, row in zip(ends, rows, strict=True)
    ]
    values = metric_values(sums)
    means = [values[place].mean(axis=0) for place in places]
    return tuple(
        CellPower(
            split=split,
            metric=metric,
            images=sums.numerator.shape[-1],
            expressions=len(counts[0].key),
            rows=len(rows),
            pairs=_against_best(rows, places, (sums, single), values, m, _best(means, m, metric)),
        )
        for m, metric in enumerate(metrics)
    )


def _best(means: Sequence[Floats], m: int, metric: str) -> int:
    of_metric = [float(mean[m]) for mean in means]
    chosen = max(of_metric) if METRICS[metric].higher_is_better else min(of_metric)
    return of_metric.index(chosen)


def _against_best(
    rows: Sequence[RowCounts],
    places: Sequence[slice],
    sums: tuple[ImageSums, ImageSums],
    values: Floats,
    m: int,
    best: int,
) -> tuple[PairPower, ...]:
    found = []
    for i, row in enumerate(rows):
        if i == best:
            continue
        by_image, by_expression = (
            image_difference(runs_of(s, places[i]), runs_of(s, places[best])) for s in sums
        )
        mine, theirs = (
            dict(zip(rows[k].seeds, values[places[k], m], strict=True)) for k in (i, best)
        )
        found.append(
            PairPower(
                row=row.label,
                against=rows[best].label,
                difference=float(by_image.value[m]),
                standard_error=float(by_image.standard_error[m]),
                independent_error=float(by_expression.standard_error[m]),
                spread=_spread([float(mine[s] - theirs[s]) for s in mine if s in theirs]),
            )
        )
    return tuple(found)


def _spread(differences: Sequence[float]) -> SeedSpread | None:
    """The standard deviation and its interval from the chi-squared distribution."""
    n = len(differences)
    if n < 2:
        return None
    sd = float(np.std(differences, ddof=1))
    low, high = (
        sd * math.sqrt((n - 1) / float(special.chdtri(n - 1, tail)))
        for tail in (ALPHA / 2, 1 - ALPHA / 2)
    )
    return SeedSpread(sd, low, high, n)


def _seed_power(n: int, effect: float) -> float:
    """Power of a two-sided paired t-test at 5 % with n pairs.

    The normal power at every spread that n pairs may show, over the spread's distribution;
    scipy's noncentral t has no value for some of the arguments that are needed here.
    """
    critical = float(special.stdtrit(n - 1, 1 - ALPHA / 2))
    shift = effect * math.sqrt(n)
    shares = (np.arange(_SPREADS) + 0.5) / _SPREADS
    bounds = critical * np.sqrt(special.chdtri(n - 1, shares) / (n - 1))
    return float(np.mean(special.ndtr(shift - bounds) + special.ndtr(-shift - bounds)))
