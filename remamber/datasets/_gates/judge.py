"""All gates of a data set that need no training, as a list."""

from collections.abc import Iterator
from typing import NamedTuple

from remamber.datasets._gates.balance import Balance, measure_balance
from remamber.datasets._gates.evaluator import Reading, read_expressions
from remamber.datasets._gates.gate import Gate, at_least, at_most, not_measured
from remamber.datasets._gates.leakage import HELD_OUT, find_leakage
from remamber.datasets._gates.limits import NOT_JUDGED, Limits, limits_of
from remamber.datasets._gates.shortcuts import (
    STRIDES,
    Score,
    Shortcuts,
    learn,
    measure_shortcuts,
)
from remamber.datasets._gates.subject import Subject

_MORE = "more objects a scene, or more that share a category"


class _Guess(NamedTuple):
    """A guess, what it may see, and which limits it has."""

    name: str
    says: str
    miou: str | None = None
    half: str | None = None


_GUESSES = (
    _Guess("whole image", "nothing"),
    _Guess("predict-all", "every object, not the words", "everything", "everything_half"),
    _Guess("mean mask", "where training targets are", "mean_mask"),
    _Guess("text only", "the words, not the image", "text_only"),
)
_BLIND = {
    "largest object": "objects and their areas, not the words",
    "learned prior": "which category and size is often a target, not the words",
}
_CHOICES = {
    "noun only": ("the noun, then an object of it at random", "noun"),
    "noun and attributes": ("no place and no relation, then at random", "attributes"),
}


def all_gates(subject: Subject, contents: dict[int, str], *, size: int) -> list[Gate]:
    """Measure and judge.

    Args:
        subject: the data set.
        contents: hash of the pixels by image id, for what splits share.
        size: side of the model's input in pixels.
    """
    kept = subject.provenance
    limits = NOT_JUDGED
    if kept is not None:
        difficulty = kept.get("difficulty", "default")
        limits = limits_of(kept["style"], difficulty=difficulty, size=size)
    shortcuts = measure_shortcuts(subject, learn(subject), size=size)
    return [
        *_of_shortcuts(shortcuts, limits),
        *_of_strides(shortcuts, limits),
        *_of_reading(read_expressions(subject), generated=kept is not None),
        *_of_balance(measure_balance(subject), limits),
        *_of_leakage(subject, contents),
    ]


def _of_shortcuts(shortcuts: Shortcuts, limits: Limits) -> Iterator[Gate]:
    for guess in _GUESSES:
        found = shortcuts.scores.get(guess.name)
        if found is None:
            yield not_measured(guess.name, "no expression of one target")
            continue
        bound = getattr(limits, guess.miou) if guess.miou else None
        yield _low(guess.name, "mIoU", found.miou, bound, says=guess.says, fix=_MORE)
        if guess.half:
            bound = getattr(limits, guess.half)
            yield _low(guess.name, "Pr@50", found.above_half, bound, says=guess.says, fix=_MORE)
    above = limits.above_chance
    bound = None if above is None else shortcuts.chance + above
    fix = "choose targets without regard to what they look like"
    for name, says in _BLIND.items():
        if name in shortcuts.scores:
            yield _low(name, "mIoU", shortcuts.scores[name].miou, bound, says=says, fix=fix)
    for name, (says, limit) in _CHOICES.items():
        if name not in shortcuts.choices:
            yield not_measured(name, "no programs: the data are not generated")
        else:
            bound = getattr(limits, limit)
            yield _low(name, "mIoU", shortcuts.choices[name], bound, says=says, fix=_MORE)


def _low(name: str, metric: str, found: Score, limit: float | None, *, says: str, fix: str) -> Gate:
    return at_most(name, metric, found.value, limit, says=says, fix=fix, error=found.error)


def _of_strides(shortcuts: Shortcuts, limits: Limits) -> Iterator[Gate]:
    for stride in STRIDES:
        scores = shortcuts.scores.get(f"stride {stride}")
        if scores is not None:
            found, bound = scores.miou, limits.ceiling if stride == STRIDES[0] else None
            yield at_least(
                f"stride {stride}",
                "mIoU",
                found.value,
                bound,
                says=f"the target itself through a map of stride {stride}: a decoder's ceiling",
                fix="larger objects, or a larger image",
                error=found.error,
            )


def _of_reading(reading: Reading | None, *, generated: bool) -> Iterator[Gate]:
    if reading is None:
        why = "made by another version of the generator" if generated else "no programs"
        yield not_measured("evaluator", why)
        return
    right = 1 - len(reading.wrong) / max(reading.read, 1)
    says = f"of {reading.read:,} expressions, read as strings and looked up in the pixels"
    shown = "; ".join(f"'{text}' in {place}" for text, place in reading.wrong[:3])
    fix = f"these do not name their target alone: {shown}"
    yield at_least("evaluator", "share", right, 1.0, says=says, fix=fix)
    if reading.redrawn_otherwise:
        count = float(reading.redrawn_otherwise)
        says = "images that differ from what their seed gives; JPEG and polygons do"
        yield at_most("drawn anew", "count", count, None, says=says)


def _of_balance(balance: Balance, limits: Limits) -> Iterator[Gate]:
    fix = "choose targets without regard to category, place and size"
    rows = (
        ("categories", "ratio", balance.categories, limits.categories, "most frequent to rarest"),
        ("rank by area", "share", balance.by_area, limits.ranks, "largest difference from chance"),
        ("rank by order", "share", balance.by_order, limits.ranks, "the same, from left to right"),
    )
    for name, metric, value, limit, says in rows:
        yield at_most(name, metric, value, limit, says=says, fix=fix)
    says = "quarters of the image, by chance (chi-square)"
    yield at_least("places", "p", balance.place_p, limits.place_p, says=says, fix=fix)


def _of_leakage(subject: Subject, contents: dict[int, str]) -> Iterator[Gate]:
    leakage = find_leakage(subject, contents)
    total = float(sum(leakage.shared.values()))
    listed = ", ".join(f"{count:,} of {split}" for split, count in leakage.shared.items())
    fix = f"leave these images out of {subject.train}: {listed}"
    says = f"images of {subject.train} that other splits show too"
    yield at_most("shared images", "count", total, 0.0, says=says, fix=fix)
    if leakage.pairs is None:
        yield not_measured("held-out pairs", f"no split {HELD_OUT} with known attributes")
        return
    named = ", ".join(" ".join(pair) for pair in leakage.pairs[:3])
    says = f"colour and shape pairs of {HELD_OUT} that {subject.train} shows"
    fix = f"held out but shown: {named}"
    yield at_most("held-out pairs", "count", float(len(leakage.pairs)), 0.0, says=says, fix=fix)
