"""Whether targets can be told by what they are or where they stand, whatever is said of them."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from remamber.datasets import Mask
from remamber.datasets._gates.subject import Subject, single_targets

RANKS = 3


class Balance(NamedTuple):
    """Evenness of targets over categories, places and ranks.

    Attributes:
        categories: share of the most frequent category over that of the rarest.
        place_p: probability of counts as uneven as these over the image's quarters by chance.
        by_area: largest difference, over the first ranks by area, between the share of targets
            of that rank and the share that chance gives them.
        by_order: the same for the reading order, from left to right.
        targets: how many targets were looked at.
    """

    categories: float
    place_p: float
    by_area: float
    by_order: float
    targets: int


def measure_balance(subject: Subject) -> Balance:
    """Look at the single targets of the tested split; at all training targets' categories.

    Categories take the larger split: of the rarest one a few targets more or less decide.
    """
    trained = single_targets(subject.dataset.refs(subject.train))
    kinds = Counter(ref.category for ref in trained)
    quarters = np.zeros(4)
    areas, orders, chances = (np.zeros(RANKS) for _ in range(3))
    targets = 0
    for objects, refs in subject.images(subject.tested, what="looking for imbalance"):
        centres = [_centre(mask) for mask in objects.masks]
        for ref in single_targets(refs):
            place = objects.ids.index(ref.ann_ids[0])
            x, y = centres[place]
            targets += 1
            quarters[2 * (y >= 0.5) + (x >= 0.5)] += 1
            areas += _at_rank([-float(mask.sum()) for mask in objects.masks], place)
            orders += _at_rank([centre[0] for centre in centres], place)
            chances += [1 / len(objects.ids) if r < len(objects.ids) else 0 for r in range(RANKS)]
    if not targets or not kinds:
        return Balance(1.0, 1.0, 0.0, 0.0, 0)
    return Balance(
        categories=max(kinds.values()) / min(kinds.values()),
        place_p=float(stats.chisquare(quarters).pvalue),
        by_area=float(np.abs(areas - chances).max() / targets),
        by_order=float(np.abs(orders - chances).max() / targets),
        targets=targets,
    )


def _centre(mask: Mask) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.5, 0.5
    return float(columns.mean() / mask.shape[1]), float(rows.mean() / mask.shape[0])


def _at_rank(keys: Sequence[float], place: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 at the target's rank among the objects, if that is one of the first."""
    found = np.zeros(RANKS)
    rank = sorted(range(len(keys)), key=lambda i: keys[i]).index(place)
    if rank < RANKS:
        found[rank] = 1
    return found
