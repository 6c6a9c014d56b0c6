"""What an expression means: programs, and whether they are true, false or unsure of an object.

Strong Kleene logic: unsure (None) wherever an attribute is hidden or a position is too close to
call, so that nothing is said of a scene that two people could read in two ways.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Truth = bool | None
Side = Literal["left", "right", "top", "bottom"]

NEAR = 0.45
"""Objects further apart than this part of the image side are not next to each other."""


@dataclass(frozen=True)
class View:
    """An object as it can be seen: centre of its visible pixels in image sides, attributes.

    An attribute that is hidden is None; one that its category does not have is absent.
    """

    category: str
    looks: dict[str, str | None]
    x: float
    y: float


@dataclass(frozen=True)
class Description:
    """A category (None: any) and attributes, sorted by name."""

    category: str | None
    looks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Extreme:
    """The outermost towards a side."""

    side: Side


@dataclass(frozen=True)
class Ordinal:
    """The second or third from a side."""

    rank: int
    side: Side


@dataclass(frozen=True)
class Relation:
    """Stands in a relation to a landmark that its own description singles out."""

    name: str
    landmark: Description


Place = Extreme | Ordinal | Relation


@dataclass(frozen=True)
class Program:
    """The meaning of an expression: what the target looks like and where it is."""

    target: Description
    place: Place | None = None


@dataclass(frozen=True)
class Group:
    """The meaning of an expression that names all objects of a kind, and maybe their number."""

    target: Description
    count: int | None = None


@dataclass(frozen=True)
class Pair:
    """The meaning of an expression that names two objects by what each of them is."""

    one: Program
    other: Program


Meaning = Program | Group | Pair


def every(*truths: Truth) -> Truth:
    """Strong Kleene "and": false if any is false, else unsure if any is unsure."""
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def matches(description: Description, view: View) -> Truth:
    """Whether an object fits a description."""
    if description.category not in (None, view.category):
        return False
    return every(*(_has(view, name, value) for name, value in description.looks))


def denotation(meaning: Meaning, views: Sequence[View], *, margin: float) -> list[Truth]:
    """Whether the expression is true of each object.

    Args:
        meaning: the meaning of an expression.
        views: the objects of a scene.
        margin: least difference of two positions, in image sides, that decides between them.
    """
    if isinstance(meaning, Pair):
        return _both(meaning, views, margin=margin)
    fits = [matches(meaning.target, view) for view in views]
    if isinstance(meaning, Group):
        return _counted(fits, meaning.count)
    match meaning.place:
        case None:
            return fits
        case Extreme(side):
            return _ranked(fits, _along(views, side), rank=1, margin=margin)
        case Ordinal(rank, side):
            return _ranked(fits, _along(views, side), rank=rank, margin=margin)
        case Relation() as relation:
            related = _related(relation, fits, views, margin=margin)
            return [every(fit, truth) for fit, truth in zip(fits, related, strict=True)]


def only(truths: Sequence[Truth]) -> int | None:
    """The one object of which it is true while it is false of all others, or None."""
    if None in truths or sum(truth is True for truth in truths) != 1:
        return None
    return list(truths).index(True)


def picks_out(
    meaning: Meaning, views: Sequence[View], *, targets: frozenset[int], margin: float
) -> bool:
    """Whether it is true of exactly these objects and false of every other one."""
    truths = denotation(meaning, views, margin=margin)
    return None not in truths and {i for i, truth in enumerate(truths) if truth} == targets


def _both(pair: Pair, views: Sequence[View], *, margin: float) -> list[Truth]:
    one, other = (denotation(program, views, margin=margin) for program in (pair.one, pair.other))
    if only(one) is None or only(other) is None or only(one) == only(other):
        return [None] * len(views)
    return [bool(a or b) for a, b in zip(one, other, strict=True)]


def _counted(fits: Sequence[Truth], count: int | None) -> list[Truth]:
    """True of all that fit if they are several, and as many as is said."""
    sure = sum(fit is True for fit in fits)
    if sure < 2 or count not in (None, sure):
        return [False if fit is False else None for fit in fits]
    return list(fits)


def _has(view: View, name: str, value: str) -> Truth:
    if name not in view.looks:
        return False
    seen = view.looks[name]
    return None if seen is None else seen == value


def _along(views: Sequence[View], side: Side) -> list[float]:
    sign = -1.0 if side in ("right", "bottom") else 1.0
    return [sign * (view.x if side in ("left", "right") else view.y) for view in views]


def _ranked(
    fits: Sequence[Truth], along: Sequence[float], *, rank: int, margin: float
) -> list[Truth]:
    """True of the rank-th along a direction if nobody can dispute the order up to it."""
    unsure: list[Truth] = [False if fit is False else None for fit in fits]
    sure = sorted((i for i, fit in enumerate(fits) if fit is True), key=lambda i: along[i])
    if len(sure) < max(rank + 1, 2):
        return unsure
    gaps = [along[b] - along[a] for a, b in zip(sure[:rank], sure[1 : rank + 1], strict=True)]
    reach = along[sure[rank - 1]] + margin
    disputed = any(fit is None and along[i] < reach for i, fit in enumerate(fits))
    if min(gaps) < margin or disputed:
        return unsure
    return [i == sure[rank - 1] for i in range(len(fits))]


def _related(
    relation: Relation, fits: Sequence[Truth], views: Sequence[View], *, margin: float
) -> list[Truth]:
    place = only([matches(relation.landmark, view) for view in views])
    if place is None:
        return [None] * len(views)
    landmark = views[place]
    if relation.name == "next-to":
        truths = _nearest(landmark, fits, views, margin=margin)
    else:
        truths = [_beside(relation.name, view, landmark, margin=margin) for view in views]
    truths[place] = False
    return truths


def _beside(name: str, view: View, landmark: View, *, margin: float) -> Truth:
    right, down = view.x - landmark.x, view.y - landmark.y
    far, across = {
        "left-of": (-right, down),
        "right-of": (right, down),
        "above": (-down, right),
        "below": (down, right),
    }[name]
    if far >= margin and far >= 1.2 * abs(across):
        return True
    return False if far <= 0 or far < 0.6 * abs(across) else None


def _nearest(
    landmark: View, fits: Sequence[Truth], views: Sequence[View], *, margin: float
) -> list[Truth]:
    far = [math.hypot(view.x - landmark.x, view.y - landmark.y) for view in views]
    rivals = [i for i, view in enumerate(views) if fits[i] is not False and view is not landmark]
    rivals.sort(key=lambda i: far[i])
    if not rivals:
        return [False] * len(views)
    lead = far[rivals[1]] - far[rivals[0]] if len(rivals) > 1 else margin
    if lead < margin or far[rivals[0]] > NEAR:
        return [None if i in rivals else False for i in range(len(views))]
    return [i == rivals[0] for i in range(len(views))]
