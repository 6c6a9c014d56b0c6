"""How alike the features of two taps are: linear CKA, with resamples over images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from remamber.tasks._distribution_basis import is_constant
from remamber.tasks._distribution_numbers import Floats, Number, numbered


def similarity(
    one: NDArray[np.float32], other: NDArray[np.float32], images: Sequence[int], times: Floats
) -> Number | None:
    """Linear CKA of two taps (Kornblith et al. 2019): 1 if one's features turn into the other's.

    Args:
        one: mean features, expressions by channels.
        other: those of the same expressions at another tap.
        images: of each expression.
        times: how often every image was drawn.
    """
    place = np.asarray(images)
    weights = times[:, place]
    first, second = (_gram(means) for means in (one, other))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(_hsic(first, first, weights) * _hsic(second, second, weights))
        values = np.where(scale > 0, _hsic(first, second, weights) / scale, np.nan)
    return numbered(values, images=len(np.unique(place)))


def _gram(means: NDArray[np.float32]) -> Floats:
    values = means.astype(np.float64)
    values = values - values.mean(axis=0)
    if is_constant([means]):
        values = np.zeros_like(values)
    gram: Floats = values @ values.T
    return gram


def _hsic(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Sum of the product of two Gram matrices, each centred on the resample."""
    count = weights.sum(axis=1)
    with_first, with_second = weights @ first, weights @ second
    plain = ((weights @ (first * second)) * weights).sum(axis=1)
    crossed = (weights * with_first * with_second).sum(axis=1)
    apart = (with_first * weights).sum(axis=1) * (with_second * weights).sum(axis=1)
    total: Floats = plain - 2 * crossed / count + apart / count**2
    return total
