"""Do our rows stand in the paper's order? Kendall's tau with a bootstrap interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from remamber.metrics import Floats
from remamber.table.resample import percentile_interval

LEAST_ROWS = 3
"""Fewer rows have no order worth the name."""
_MOST_ROWS_ENUMERATED = 7


@dataclass(frozen=True, kw_only=True)
class OrderAgreement:
    """Kendall's tau-b between the paper's values and ours over the rows that both have.

    Attributes:
        over: what was ordered, such as ``val mIoU``.
        tau: 1 for the same order, -1 for the reverse.
        low: lower end of the 95 % interval over resampled images.
        high: upper end.
        rows: number of rows ordered.
        chance: share of all orders of the rows that agree at least as well, None for many rows.
    """

    over: str
    tau: float
    low: float
    high: float
    rows: int
    chance: float | None


def order_agreement(
    paper: Sequence[float], ours: Floats, draws: Floats, over: str
) -> OrderAgreement:
    """Compare two orders of the same rows.

    Args:
        paper: the published value of every row.
        ours: our value of every row, shape (rows,).
        draws: our values on resampled images, shape (rows, draws).
        over: what is ordered.
    """
    published = np.asarray(paper, dtype=np.float64)
    tau = float(kendall_tau(published, ours[None, :])[0])
    interval = percentile_interval(kendall_tau(published, draws.T))
    return OrderAgreement(
        over=over,
        tau=tau,
        low=float(interval.low),
        high=float(interval.high),
        rows=len(published),
        chance=_chance(published, ours, tau),
    )


def kendall_tau(reference: Floats, others: Floats) -> Floats:
    """Kendall's tau-b of one order with many.

    Args:
        reference: shape (rows,).
        others: shape (orders, rows).

    Returns:
        Shape (orders,); 0 where all rows of either side are tied.
    """
    first, second = np.triu_indices(len(reference), k=1)
    ours = np.sign(others[:, first] - others[:, second])
    theirs = np.sign(reference[first] - reference[second])
    scale = np.sqrt(np.abs(ours).sum(axis=1) * np.abs(theirs).sum())
    concordance = (ours * theirs).sum(axis=1)
    tau: Floats = np.divide(concordance, scale, out=np.zeros_like(concordance), where=scale > 0)
    return tau


def _chance(paper: Floats, ours: Floats, tau: float) -> float | None:
    if len(paper) > _MOST_ROWS_ENUMERATED:
        return None
    orders = np.array(list(permutations(ours)))
    return float((kendall_tau(paper, orders) >= tau - 1e-9).mean())
