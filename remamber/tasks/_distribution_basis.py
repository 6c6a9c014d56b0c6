"""Principal components of points: exact, with a fixed sign, in pieces where memory asks for it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 16
"""Kept for the intervals, whose resamples turn the axes within them; three are drawn."""
_EXACT = 512
"""Shorter side of the points' matrix up to which all components are found."""
_WHOLE_BYTES = 256 * 2**20
"""Points up to this are decomposed at once, more of them in pieces."""
_CONSTANT = 1e-12
"""Variance over mean square below which features do not vary."""
Floats = NDArray[np.float64]


class Basis(NamedTuple):
    """Principal axes of some points.

    Attributes:
        mean: of the points, d.
        axes: orthonormal, k by d, the largest variance first; the largest entry of each in
            absolute value is positive (scikit-learn's ``svd_flip``).
        shares: of the variance on each axis, k.
    """

    mean: Floats
    axes: Floats
    shares: Floats

    def scores(self, values: NDArray[np.floating]) -> Floats:
        """The points on the axes, n by k."""
        scores: Floats = (values.astype(np.float64) - self.mean) @ self.axes.T
        return scores


def fit_basis(
    parts: Sequence[NDArray[np.floating]], *, seed: int = 0, whole_bytes: int = _WHOLE_BYTES
) -> Basis | None:
    """The principal axes of all points together; None if they do not vary.

    Args:
        parts: groups of points, each n by d, float.
        seed: of the iteration that finds the first axes of large matrices, to full precision.
        whole_bytes: more than this, in float64, is decomposed in pieces (IncrementalPCA).
    """
    from sklearn.decomposition import PCA, IncrementalPCA

    count, width = sum(map(len, parts)), parts[0].shape[1]
    if count < 2 or is_constant(parts):
        return None
    most = min(COMPONENTS, count, width)
    if count * width * 8 > whole_bytes:
        pca = IncrementalPCA(n_components=most)
        for piece in _pieces(parts, rows=max(2 * most, whole_bytes // (32 * width))):
            pca.partial_fit(piece)
    else:
        short = min(count, width)
        exact = short <= _EXACT or most == short
        solver = {"svd_solver": "full"} if exact else {"svd_solver": "arpack"}
        pca = PCA(n_components=most, random_state=seed, **solver)
        pca.fit(np.concatenate(parts).astype(np.float64))
    return Basis(pca.mean_, pca.components_, pca.explained_variance_ratio_)


def is_constant(parts: Sequence[NDArray[np.floating]]) -> bool:
    """Whether no feature varies over the points."""
    count = sum(map(len, parts))
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / count
    spread = sum(float(np.square(part - mean).sum()) for part in parts) / count
    return bool(spread <= _CONSTANT * (float(np.square(mean).sum()) + np.finfo(np.float32).tiny))


def _pieces(parts: Sequence[NDArray[np.floating]], *, rows: int) -> Iterator[Floats]:
    """All points in pieces of at least so many rows, which must not be fewer than the axes."""
    values = np.concatenate(parts)
    for piece in np.array_split(values, max(1, len(values) // rows)):
        yield piece.astype(np.float64)
