"""The text control: what is left of a score when expressions are shuffled among the images."""

from dataclasses import dataclass

import numpy as np

from remamber.plan.question import Analysis
from remamber.record.schema import SHUFFLED
from remamber.table.compare import Comparison
from remamber.table.counts import CountsFile
from remamber.table.resample import (
    generator_for,
    image_sums,
    metric_values,
    percentile_interval,
    resampled_images,
    resampled_values,
)
from remamber.table.source import Selection


@dataclass(frozen=True, kw_only=True)
class TextControl:
    """The best row's lead metric with right and with shuffled expressions, and their ratio."""

    row: str
    value: float
    shuffled: float
    ratio: float
    low: float
    high: float


def text_control(
    analysis: Analysis,
    selection: Selection,
    *,
    by_split: dict[str, Comparison],
    files: dict[str, CountsFile],
) -> TextControl | None:
    """The text control of the best row in the lead column, None if it was not run.

    Args:
        analysis: names the lead column.
        selection: the rows.
        by_split: their comparisons.
        files: counts by run id.
    """
    split, metric = analysis.table.lead
    comparison = by_split.get(split)
    if comparison is None:
        return None
    label = comparison.rows[comparison.best[comparison.metrics.index(metric)]]
    variant = next(v for v in selection.variants if v.label == label)
    scored = [files[r.run_id] for r in variant.ok if r.run_id in files]
    scored = [f for f in scored if f.has(split) and f.has(split + SHUFFLED)]
    if not scored:
        return None
    return _measured(label, scored, split=split, metric=metric)


def _measured(
    label: str, scored: list[CountsFile], *, split: str, metric: str
) -> TextControl | None:
    right = image_sums([f.of(split) for f in scored], [metric])
    wrong = image_sums([f.of(split + SHUFFLED) for f in scored], [metric])
    if right.numerator.shape != wrong.numerator.shape:
        return None
    times = resampled_images(
        right.numerator.shape[-1], draws=1000, generator=generator_for(split + SHUFFLED)
    )
    value, shuffled = (float(metric_values(s).mean()) for s in (right, wrong))
    if value <= 0:
        return None
    draws = [resampled_values(s, times).mean(axis=0)[0] for s in (right, wrong)]
    ratio = np.divide(draws[1], draws[0], out=np.zeros_like(draws[0]), where=draws[0] > 0)
    low, high = percentile_interval(ratio)
    return TextControl(
        row=label,
        value=value,
        shuffled=shuffled,
        ratio=shuffled / value,
        low=float(low),
        high=float(high),
    )
