"""What a picture of principal components shows, as numbers: each with resamples over images."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.tasks._distribution_basis import Basis, fit_basis, is_constant
from remamber.tasks._distribution_points import Points

DRAWS = 1000
FOLDS = 5
NEIGHBOURS = 10
Floats = NDArray[np.float64]


class Number(NamedTuple):
    """A value, and the same from every resample of the images; none where there is one image."""

    value: float
    draws: Floats | None


def resampled_images(images: int, *, seed: int, draws: int = DRAWS) -> Floats:
    """How often every image was drawn, with replacement, in every resample: (draws, images).

    The first row is the images as they are, each once.
    """
    generator = np.random.default_rng([seed, images])
    drawn = generator.multinomial(images, np.full(images, 1 / images), size=draws)
    return np.concatenate([np.ones((1, images)), drawn.astype(np.float64)])


def numbered(values: Floats, *, images: int) -> Number | None:
    """A number from its value on the images as they are and on every resample; None if undefined.

    Resamples in which it is undefined, since a group has no point in them, are NaN.
    """
    if not np.isfinite(values[0]):
        return None
    return Number(float(values[0]), values[1:] if images > 1 else None)


def modality_gap(one: Points, other: Points, times: Floats) -> Number | None:
    """Distance of two groups' centroids over their spread.

    The spread is the root of the mean of the two groups' variances, a variance being the mean
    squared distance from the own centroid. A group that does not vary and one elsewhere that
    does not either have no gap that could be told.
    """
    centre = np.concatenate([one.values, other.values]).mean(axis=0, dtype=np.float64)
    a, b = (_Sums.of(group, centre, times) for group in (one, other))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (times @ (a.by_image @ b.by_image.T) * times).sum(axis=1)
        distance = a.centre_square + b.centre_square - 2 * between / (a.points * b.points)
        spread = (a.variance + b.variance) / 2
        tiny = np.finfo(np.float32).eps ** 2 * (a.square + b.square)
        gap = np.sqrt(np.maximum(distance, 0) / np.where(spread > tiny, spread, np.nan))
    return numbered(gap, images=_images(one, other))


def line_share(group: Points, times: Floats, *, seed: int) -> Number | None:
    """The share of a group's variance along its own first axis: 1 if it lies on a line.

    The axis is found anew in every resample, within the first components of all points.
    """
    basis = fit_basis([group.values], seed=seed)
    if basis is None:
        return None
    scores = basis.scores(group.values)
    covariances = _covariances(scores, group.images, times)
    total = _Sums.of(group, basis.mean, times).variance
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.linalg.eigvalsh(covariances)[:, -1] / total
    return numbered(shares, images=_images(group))


def first_axis_share(
    groups: Mapping[str, Points], name: str, basis: Basis, times: Floats
) -> Number | None:
    """The share of one group's variance on the first axis of all groups together.

    Args:
        groups: all groups of a panel.
        name: the group.
        basis: the panel's.
        times: how often every image was drawn.
    """
    if is_constant([groups[name].values]):
        return None
    scores = {key: basis.scores(group.values) for key, group in groups.items()}
    images = np.concatenate([group.images for group in groups.values()])
    all_scores = np.concatenate([scores[key] for key in groups])
    axis = np.linalg.eigh(_covariances(all_scores, images, times))[1][:, :, -1]
    own = _covariances(scores[name], groups[name].images, times)
    total = _Sums.of(groups[name], basis.mean, times).variance
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.einsum("ni,nij,nj->n", axis, own, axis) / total
    return numbered(shares, images=_images(groups[name]))


def probe_accuracy(one: Points, other: Points, times: Floats) -> Number | None:
    """How well a hyperplane tells two groups apart on images that it was not fitted to.

    Balanced accuracy, 0.5 by chance, of a ridge classifier on standardised features,
    cross-validated with all points of an image in one fold. None with fewer than two images.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import GroupKFold

    values, images = _stacked(one, other)
    labels = np.repeat([0, 1], [len(one.values), len(other.values)])
    folds = min(FOLDS, len(np.unique(images)))
    if folds < 2:
        return None
    right = np.zeros(len(labels))
    for known, asked in GroupKFold(folds).split(values, labels, images):
        if len(np.unique(labels[known])) < 2:
            continue
        mean, deviation = values[known].mean(axis=0), values[known].std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
        probe = RidgeClassifier(alpha=1.0, class_weight="balanced")
        probe.fit((values[known] - mean) / scale, labels[known])
        right[asked] = probe.predict((values[asked] - mean) / scale) == labels[asked]
    return _balanced(right, labels, images, times)


def own_neighbours(one: Points, other: Points, times: Floats) -> Number | None:
    """Of a point's ten nearest neighbours on other images, the share of its own group.

    Groups count as if they had as many points, so two that are mixed give 0.5 and two that are
    apart 1, whatever their shapes: a line in a cloud, say, that no hyperplane cuts off. Both
    groups weigh the same. None with fewer than two images.
    """
    values, images = _stacked(one, other)
    labels = np.repeat([0, 1], [len(one.values), len(other.values)])
    if len(np.unique(images)) < 2:
        return None
    square = np.square(values).sum(axis=1)
    distance = square[:, None] + square[None, :] - 2 * values @ values.T
    distance[images[:, None] == images[None, :]] = np.inf
    most = min(NEIGHBOURS, len(values) - 1)
    near = np.argpartition(distance, most - 1, axis=1)[:, :most]
    reached = np.isfinite(np.take_along_axis(distance, near, axis=1))
    sizes = np.bincount(labels, minlength=2)
    votes = [(reached & (labels[near] == group)).sum(axis=1) / sizes[group] for group in (0, 1)]
    own = np.where(labels == 0, *votes)
    share = np.divide(own, votes[0] + votes[1], out=np.zeros_like(own), where=own > 0)
    return _balanced(share, labels, images, times)


def mean_by_image(values: Floats, images: NDArray[np.int64], times: Floats) -> Number | None:
    """The mean of what there is one of for every expression."""
    sums = np.bincount(images, weights=values, minlength=times.shape[1])
    counts = np.bincount(images, minlength=times.shape[1])
    return numbered((times @ sums) / (times @ counts), images=len(np.unique(images)))


def _balanced(
    share: Floats, labels: NDArray[np.int64], images: NDArray[np.int64], times: Floats
) -> Number | None:
    """Mean of the two groups' means."""
    found = []
    for group in (0, 1):
        weights = np.where(labels == group, share, 0.0)
        sums = np.bincount(images, weights=weights, minlength=times.shape[1])
        counts = np.bincount(images[labels == group], minlength=times.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append((times @ sums) / (times @ counts))
    return numbered((found[0] + found[1]) / 2, images=len(np.unique(images)))


def _stacked(one: Points, other: Points) -> tuple[Floats, NDArray[np.int64]]:
    values = np.concatenate([one.values, other.values]).astype(np.float64)
    return values, np.concatenate([one.images, other.images])


def _images(*groups: Points) -> int:
    return len(np.unique(np.concatenate([group.images for group in groups])))


class _Sums(NamedTuple):
    """Sums of a group on every resample, around a centre that is the same for all groups."""

    by_image: Floats
    points: Floats
    square: Floats
    centre_square: Floats

    @classmethod
    def of(cls, group: Points, centre: Floats, times: Floats) -> "_Sums":
        values = group.values.astype(np.float64) - centre
        images = times.shape[1]
        by_image = np.zeros((images, values.shape[1]))
        np.add.at(by_image, group.images, values)
        counts = np.bincount(group.images, minlength=images)
        squares = np.square(values).sum(axis=1)
        points = times @ counts
        gram = by_image @ by_image.T
        with np.errstate(divide="ignore", invalid="ignore"):
            square = times @ np.bincount(group.images, weights=squares, minlength=images) / points
            centre_square = (times @ gram * times).sum(axis=1) / points**2
        return cls(by_image, points, square, centre_square)

    @property
    def variance(self) -> Floats:
        """Mean squared distance from the group's own centroid."""
        return np.maximum(self.square - self.centre_square, 0)


def _covariances(scores: Floats, images: NDArray[np.int64], times: Floats) -> Floats:
    """Covariance of scores on every resample, (draws, k, k); none where there is no point."""
    number, k = times.shape[1], scores.shape[1]
    first, second = np.zeros((number, k)), np.zeros((number, k * k))
    np.add.at(first, images, scores)
    products = (scores[:, :, None] * scores[:, None, :]).reshape(len(scores), k * k)
    np.add.at(second, images, products)
    count = times @ np.bincount(images, minlength=number)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = times @ first / count[:, None]
        square = (times @ second / count[:, None]).reshape(-1, k, k)
    return np.nan_to_num(square - mean[:, :, None] * mean[:, None, :])
