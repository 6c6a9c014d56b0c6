"""What one scores without reading, or reading only a part: floors that a data set must keep low."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets import Mask, Referent
from remamber.datasets._gates.subject import Objects, Subject, iou, single_targets
from remamber.datasets._guesses import coarse, scaled, stretched

STRIDES = (4, 8, 16)

_WORD = re.compile(r"[a-z0-9]+")
_WORD_SIDE = 32
_FEWEST = 3
"""A word seen less often says nothing."""

Share = NDArray[np.float64]
Kind = tuple[str, int]


class Learned(NamedTuple):
    """What a guess may know from the training split.

    Attributes:
        mean: share of targets at a place, its top 1.
        words: the same for the targets of expressions with a word.
        sizes: borders between classes of an object's area, as shares of the image.
        odds: share of objects of a category and class of size that are targets.
    """

    mean: Share
    words: Mapping[str, Share]
    sizes: tuple[float, ...]
    odds: Mapping[Kind, float]


class Score(NamedTuple):
    """A mean over expressions, and its standard error with as many samples as images."""

    value: float
    error: float


class Scores(NamedTuple):
    """Mean IoU over expressions, and the share of them with IoU above a half."""

    miou: Score
    above_half: Score


class Shortcuts(NamedTuple):
    """Scores by name of the guess, mean IoU of choices among matches, and the mean of 1/n."""

    scores: Mapping[str, Scores]
    choices: Mapping[str, Score]
    chance: float
    expressions: int


def learn(subject: Subject) -> Learned:
    """Look at the training split."""
    total = np.zeros((_WORD_SIDE, _WORD_SIDE))
    words: dict[str, Share] = {}
    seen: Counter[str] = Counter()
    areas: list[tuple[str, float, bool]] = []
    for objects, refs in subject.images(subject.train, what="looking at the training split"):
        targets = {i for ref in single_targets(refs) for i in ref.ann_ids}
        for i, kind, share in _things(objects):
            areas.append((kind, share, objects.ids[i] in targets))
        for ref in single_targets(refs):
            small = stretched(subject.dataset.mask(ref), total.shape)
            for expression in ref.expressions:
                total += small
                for word in set(_WORD.findall(expression.text.lower())):
                    seen[word] += 1
                    words[word] = words[word] + small if word in words else small
    quarters = np.quantile([area for _, area, _ in areas], [0.25, 0.5, 0.75]) if areas else ()
    sizes = tuple(float(border) for border in quarters)
    kept = {word: scaled(mask) for word, mask in words.items() if seen[word] >= _FEWEST}
    return Learned(scaled(total), kept, sizes, _odds(areas, sizes))


def measure_shortcuts(subject: Subject, learned: Learned, *, size: int) -> Shortcuts:
    """Score every guess on the tested split's expressions of one target.

    Args:
        subject: the data set.
        learned: from its training split.
        size: side of the model's input in pixels, for what a stride can hold.
    """
    scores: dict[str, list[tuple[float, int]]] = defaultdict(list)
    choices: dict[str, list[float]] = defaultdict(list)
    chances: list[float] = []
    images = 0
    for objects, refs in subject.images(subject.tested, what="guessing without a model"):
        images += 1
        for ref in single_targets(refs):
            target = subject.dataset.mask(ref)
            times = len(ref.expressions)
            chances += [1 / max(len(objects.ids), 1)] * times
            for name, guess in _blind(objects, learned, target, size):
                scores[name].append((iou(guess, target), times))
            for text in (expression.text for expression in ref.expressions):
                said = iou(_by_words(text, learned, target.shape), target)
                scores["text only"].append((said, 1))
            for name, value in _among_matches(subject, objects, ref):
                choices[name].append(value)
    return Shortcuts(
        scores={name: _scores(rows, images) for name, rows in scores.items()},
        choices={
            name: _mean(np.array(values), np.ones(len(values)), images)
            for name, values in choices.items()
        },
        chance=float(np.mean(chances)) if chances else 0.0,
        expressions=len(chances),
    )


def _scores(rows: Sequence[tuple[float, int]], images: int) -> Scores:
    values, times = np.array(rows).T
    return Scores(_mean(values, times, images), _mean(values > 0.5, times, images))


def _mean(values: NDArray[Any], times: NDArray[np.float64], images: int) -> Score:
    mean = float(np.average(values, weights=times))
    spread = float(np.average((values - mean) ** 2, weights=times))
    return Score(mean, float(np.sqrt(spread / max(images, 1))))


def _blind(
    objects: Objects, learned: Learned, target: Mask, size: int
) -> Iterator[tuple[str, Mask]]:
    """Every guess that does not see the expression, and what a coarse map holds of the target."""
    yield "whole image", np.ones_like(target)
    yield "mean mask", stretched(learned.mean, target.shape) > 0.5
    if objects.ids:
        everything: Mask = np.logical_or.reduce(objects.masks)
        yield "predict-all", everything
        areas = [int(mask.sum()) for mask in objects.masks]
        yield "largest object", objects.masks[int(np.argmax(areas))]
        odds = [
            learned.odds.get((k, _class(a, learned.sizes)), 0.0) for _, k, a in _things(objects)
        ]
        yield "learned prior", objects.masks[int(np.argmax(odds))]
    for stride in STRIDES:
        yield f"stride {stride}", coarse(target, max(1, size // stride))


def _by_words(text: str, learned: Learned, shape: tuple[int, ...]) -> Mask:
    known = [learned.words[w] for w in _WORD.findall(text.lower()) if w in learned.words]
    mean: Share = np.mean(known, axis=0) if known else learned.mean
    found: Mask = stretched(scaled(mean), shape) > 0.5
    return found


def _among_matches(
    subject: Subject, objects: Objects, ref: Referent
) -> Iterator[tuple[str, float]]:
    """Expected IoU of an object at random among those that fit a part of the expression."""
    if objects.looks is None:
        return
    place = objects.ids.index(ref.ann_ids[0])
    overlap = [iou(mask, objects.masks[place]) for mask in objects.masks]
    for expression in ref.expressions:
        said = subject.programs.get(expression.sent_id, {}).get("program", {}).get("target")
        if said is None:
            continue
        looks = {name: value for name, value in said["looks"]}
        parts: list[tuple[str, dict[str, Any]]] = [
            ("noun only", {"category": said["category"]}),
            ("noun and attributes", {"category": said["category"], **looks}),
        ]
        for name, wanted in parts:
            fits = [
                o for o, look in zip(overlap, objects.looks, strict=True) if _fits(look, wanted)
            ]
            yield name, float(np.mean(fits)) if fits else 0.0


def _fits(look: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    return all(look.get(name) == value for name, value in wanted.items())


def _things(objects: Objects) -> Iterator[tuple[int, str, float]]:
    """Number, category (empty if not known) and share of the image of every object."""
    for i, mask in enumerate(objects.masks):
        kind = objects.looks[i]["category"] if objects.looks is not None else ""
        yield i, kind, float(mask.mean())


def _class(area: float, borders: Sequence[float]) -> int:
    return int(np.searchsorted(borders, area))


def _odds(areas: Sequence[tuple[str, float, bool]], sizes: Sequence[float]) -> dict[Kind, float]:
    met: Counter[Kind] = Counter((kind, _class(area, sizes)) for kind, area, _ in areas)
    targets = [(kind, area) for kind, area, is_target in areas if is_target]
    named: Counter[Kind] = Counter((kind, _class(area, sizes)) for kind, area in targets)
    return {kind: named[kind] / count for kind, count in met.items()}
