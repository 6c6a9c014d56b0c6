"""Is the dagger honest? How often equal variants are told apart, and how often unequal ones are.

    python tests/dagger_measure.py [TRIALS]

Prints a line of JSON a case. ``equal``: share of tables of equal rows in which any row loses its
dagger, by the number of images and rows; ``unequal_spread``: the same where one row is wider
spread than the other, with the same true metric; ``near_copies``: rows that differ on few images;
``power``: share of pairs found that differ by what the table says it can detect, and ``coverage``:
share of the intervals of a difference that hold the true one. ``in_use`` is the method in use; the
others were not taken: ``holm_over_rows`` (a row is compared with the best as if that had been known
before), ``bootstrap`` (percentile intervals without 0, over all pairs), ``own_values`` (t of
the residuals from each row's own value) and ``expressions`` (as if they were independent).
"""

import json
import sys
from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy import special
from simulated_variants import (
    METRICS,
    Split,
    Terms,
    Variant,
    by_expression,
    by_image,
    matching,
    split_of,
    terms_of,
)

from remamber.table.image_difference import image_difference
from remamber.table.resample import (
    ImageSums,
    metric_values,
    percentile_interval,
    resampled_images,
    resampled_values,
)
from remamber.table.row_differences import row_differences
from remamber.table.significance import ALPHA, detectable_difference, holm

IMAGES = (50, 100, 300)
WIDE = Variant(own=(0.5, 0.5, 0.7))
CLOSE = Variant(own=(0.04, 0.04, 0.05))
Found = Callable[[Split, Terms, np.random.Generator], np.ndarray]


def in_use(split: Split, terms: Terms, generator: np.random.Generator) -> np.ndarray:
    """Whether any row is told from the best, by metric."""
    return _any_row(by_image(split, terms))


def expressions(split: Split, terms: Terms, generator: np.random.Generator) -> np.ndarray:
    return _any_row(by_expression(terms))


def holm_over_rows(split: Split, terms: Terms, generator: np.random.Generator) -> np.ndarray:
    rows = by_image(split, terms)
    found = []
    for metric, best in enumerate(_best(rows)):
        others = [row for i, row in enumerate(rows) if i != best]
        p = [float(image_difference(row, rows[best]).p[metric]) for row in others]
        found.append(min(holm(p)) < ALPHA)
    return np.array(found)


def bootstrap(split: Split, terms: Terms, generator: np.random.Generator) -> np.ndarray:
    rows = by_image(split, terms)
    both = ImageSums(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))
    times = resampled_images(split.images, draws=1000, generator=generator)
    values = resampled_values(both, times)
    level = 1 - ALPHA / len(list(combinations(rows, 2)))
    found = np.zeros(len(METRICS), dtype=bool)
    for a, b in combinations(range(len(rows)), 2):
        low, high = percentile_interval(values[a] - values[b], level=level)
        found |= (low > 0) | (high < 0)
    return found


def own_values(split: Split, terms: Terms, generator: np.random.Generator) -> np.ndarray:
    rows = [ImageSums(*(part[0] for part in row)) for row in by_image(split, terms)]
    values = [n.sum(axis=-1, keepdims=True) / d.sum(axis=-1, keepdims=True) for n, d in rows]
    residuals = [
        (row.numerator - value * row.denominator) / row.denominator.mean(axis=-1, keepdims=True)
        for row, value in zip(rows, values, strict=True)
    ]
    pairs = list(combinations(range(len(rows)), 2))
    critical = special.stdtrit(split.images - 1, 1 - ALPHA / 2 / len(pairs))
    found = np.zeros(len(METRICS), dtype=bool)
    for a, b in pairs:
        error = (residuals[a] - residuals[b]).std(axis=-1, ddof=1) / np.sqrt(split.images)
        found |= np.abs(values[a] - values[b])[:, 0] > critical * error
    return found


def false_shares(
    variants: list[Variant], *, images: int, trials: int, found: Found, seed: int = 0
) -> np.ndarray:
    """Share of samples in which ``found`` says yes, by metric."""
    total = np.zeros(len(METRICS))
    for trial in range(trials):
        generator = np.random.default_rng([seed, images, len(variants), trial])
        split = split_of(images, generator)
        total += found(split, terms_of(split, variants, generator), generator)
    return total / trials


def _any_row(rows: list[ImageSums]) -> np.ndarray:
    told: np.ndarray = (row_differences(rows, _best(rows)).p < ALPHA).any(axis=0)
    return told


def _best(rows: list[ImageSums]) -> np.ndarray:
    return np.argmax([metric_values(row)[0] for row in rows], axis=0)


def _equal(trials: int) -> list[dict[str, object]]:
    lines = []
    for images in IMAGES:
        for rows in (2, 3, 5):
            for method in (in_use, holm_over_rows, expressions, bootstrap, own_values):
                few = trials if method is in_use else max(trials // 4, 1)
                shares = false_shares([Variant()] * rows, images=images, trials=few, found=method)
                lines.append(_line(method.__name__, shares, images=images, rows=rows, trials=few))
    return lines


def _near_copies(trials: int) -> list[dict[str, object]]:
    return [
        _line(
            "in_use",
            false_shares([CLOSE] * 2, images=images, trials=trials, found=in_use, seed=1),
            images=images,
            rows=2,
            trials=trials,
        )
        for images in IMAGES
    ]


def _unequal_spread(trials: int) -> list[dict[str, object]]:
    lines = []
    for images in IMAGES:
        shares = [
            false_shares(
                [Variant(), Variant(WIDE.own, matching(WIDE, metric))],
                images=images,
                trials=trials,
                found=in_use,
                seed=2,
            )[metric]
            for metric in range(len(METRICS))
        ]
        lines.append(_line("in_use", np.array(shares), images=images, rows=2, trials=trials))
    return lines


def _power(trials: int) -> list[dict[str, object]]:
    return [
        {"images": n, "metric": name, **detection(images=n, metric=m, trials=trials)}
        for n in IMAGES
        for m, name in enumerate(METRICS)
    ]


def detection(*, images: int, metric: int, trials: int) -> dict[str, float]:
    """Two variants that differ by what the power line calls detectable: how often it is seen.

    Also how often the interval of the difference holds the true one.
    """
    generator = np.random.default_rng([3, images])
    errors = []
    for _ in range(200):
        split = split_of(images, generator)
        a, b = by_image(split, terms_of(split, [Variant()] * 2, generator))
        errors.append(image_difference(a, b).standard_error[metric])
    gain = detectable_difference(float(np.median(errors)))
    better = Variant(better=matching(Variant(), metric, gain=gain))
    found = covered = 0
    for trial in range(trials):
        generator = np.random.default_rng([4, images, trial])
        split = split_of(images, generator)
        a, b = by_image(split, terms_of(split, [better, Variant()], generator))
        difference = image_difference(a, b)
        found += bool(difference.p[metric] < ALPHA)
        low, high = (float(end[metric]) for end in difference.interval)
        covered += low <= gain <= high
    return {"points": round(100 * gain, 2), "power": found / trials, "coverage": covered / trials}


def _line(method: str, shares: np.ndarray, **where: int) -> dict[str, object]:
    found = {name: round(float(share), 4) for name, share in zip(METRICS, shares, strict=True)}
    return {"method": method, **where, **found}


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for title, lines in (
        ("equal", _equal(trials)),
        ("near_copies", _near_copies(trials)),
        ("unequal_spread", _unequal_spread(max(trials // 2, 1))),
        ("power", _power(max(trials // 2, 1))),
    ):
        for line in lines:
            sys.stdout.write(json.dumps({"of": title, **line}) + "\n")


if __name__ == "__main__":
    main()
