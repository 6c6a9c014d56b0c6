"""All rows of a study on one split: values, intervals, and paired differences to the best row."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from remamber.metrics import METRICS, Floats
from remamber.table.counts import ExpressionCounts, require_same_expressions
from remamber.table.resample import (
    DRAWS,
    ImageSums,
    Interval,
    image_sums,
    metric_values,
    percentile_interval,
    resampled_images,
    resampled_values,
)
from remamber.table.row_differences import row_differences
from remamber.table.significance import ALPHA


@dataclass(frozen=True, kw_only=True)
class RowCounts:
    """A row's counts on one split, one entry a seed."""

    label: str
    seeds: tuple[int, ...]
    counts: tuple[ExpressionCounts, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Rows by metrics on one split; every value is a fraction and a mean over the row's seeds.

    Attributes:
        rows: labels of the rows, in table order.
        metrics: names of the metrics.
        expressions: number of expressions.
        images: number of images, the unit that was resampled.
        value: (rows, metrics).
        interval: 95 % interval of ``value``, (rows, metrics); None for fewer than two images.
        best: index of the best row of every metric, (metrics,).
        difference: row minus best row, (rows, metrics).
        difference_interval: its paired 95 % interval, None for fewer than two images.
        standard_error: of the difference, over images, (rows, metrics).
        p: two-sided p of the difference after Holm over all pairs of rows; 1 for the best itself.
        by_seed: row -> seed -> values (metrics,).
        draws: resampled values, (rows, metrics, draws).
    """

    rows: tuple[str, ...]
    metrics: tuple[str, ...]
    expressions: int
    images: int
    value: Floats
    interval: Interval | None
    best: NDArray[np.intp]
    difference: Floats
    difference_interval: Interval | None
    standard_error: Floats
    p: Floats
    by_seed: dict[str, dict[int, Floats]]
    draws: Floats = field(repr=False)

    def is_best(self, row: int, metric: int) -> bool:
        """Whether the row is the best of the metric's column."""
        return bool(self.best[metric] == row)

    def is_tied(self, row: int, metric: int) -> bool:
        """Whether the row cannot be told from the best at 5 %: the dagger."""
        return not self.is_best(row, metric) and bool(self.p[row, metric] >= ALPHA)


def same_counts(rows: Sequence[RowCounts]) -> list[ExpressionCounts]:
    """The counts of all seeds of all rows.

    Raises:
        UserError: the rows did not score the same expressions.
    """
    counts = [c for row in rows for c in row.counts]
    require_same_expressions(counts, [f"{r.label}, seed {s}" for r in rows for s in r.seeds])
    return counts


def compare(
    rows: Sequence[RowCounts],
    metrics: Sequence[str],
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> Comparison:
    """Compare rows on the expressions of one split.

    A value's interval is by bootstrap over images; a difference is that of two rows image by
    image, and its interval and mark come from one test. Over several seeds a row's value is the
    mean of its seeds, and the interval is that of the mean for these trained weights; variation
    between seeds is reported apart.

    Args:
        rows: at least one, each with at least one seed.
        metrics: names in ``remamber.metrics.METRICS``.
        generator: source of the resamples.
        draws: number of resamples.

    Raises:
        UserError: the rows did not score the same expressions.
    """
    counts = same_counts(rows)
    sums = image_sums(counts, metrics)
    times = resampled_images(sums.numerator.shape[-1], draws=draws, generator=generator)
    return compared(rows, metrics, sums=sums, times=times, expressions=len(counts[0].key))


def compared(
    rows: Sequence[RowCounts],
    metrics: Sequence[str],
    *,
    sums: ImageSums,
    times: Floats,
    expressions: int,
) -> Comparison:
    """The same from sums by image that are there already, and images that were drawn.

    Args:
        rows: give labels and seeds.
        metrics: of which the sums are.
        sums: of every run, row by row.
        times: how often every image was drawn in every resample, (draws, images).
        expressions: how many the sums are over.
    """
    images = sums.numerator.shape[-1]
    owner = np.repeat(np.arange(len(rows)), [len(row.counts) for row in rows])
    of_run = metric_values(sums)
    value = _mean_over_seeds(of_run, owner)
    resampled = _mean_over_seeds(resampled_values(sums, times), owner)
    best = _best(value, metrics)
    of_rows = [ImageSums(*(part[owner == row] for part in sums)) for row in range(len(rows))]
    differences = row_differences(of_rows, best)
    runs = iter(of_run)
    return Comparison(
        rows=tuple(row.label for row in rows),
        metrics=tuple(metrics),
        expressions=expressions,
        images=images,
        value=value,
        interval=percentile_interval(resampled) if images > 1 else None,
        best=best,
        difference=value - value[best, np.arange(len(metrics))][None],
        difference_interval=differences.interval if images > 1 else None,
        standard_error=differences.standard_error,
        p=differences.p,
        by_seed={row.label: {seed: next(runs) for seed in row.seeds} for row in rows},
        draws=resampled,
    )


def _mean_over_seeds(of_run: Floats, owner: NDArray[np.intp]) -> Floats:
    return np.stack([of_run[owner == row].mean(axis=0) for row in range(owner[-1] + 1)])


def _best(value: Floats, metrics: Sequence[str]) -> NDArray[np.intp]:
    sign = np.array([1 if METRICS[name].higher_is_better else -1 for name in metrics])
    best: NDArray[np.intp] = np.argmax(value * sign, axis=0)
    return best
