"""The second check of an expression: which measured object does the string point to?

Two-valued and separate from the logic that chose the words: it reads the string, looks at what
was measured in the pixels, and points.
"""

import math
from collections.abc import Sequence

from remamber.datasets._synthetic.grammar import Grammar
from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Group,
    Ordinal,
    Pair,
    Program,
    Relation,
)
from remamber.datasets._synthetic.measure import Seen
from remamber.datasets._synthetic.read import readings


def pointed_at(text: str, seen: Sequence[Seen], grammar: Grammar) -> int | None:
    """The one object that a string points to; None if it has no, or more than one, meaning."""
    found = all_pointed_at(text, seen, grammar)
    return next(iter(found)) if found is not None and len(found) == 1 else None


def all_pointed_at(text: str, seen: Sequence[Seen], grammar: Grammar) -> frozenset[int] | None:
    """The objects that a string points to, maybe none.

    None if it has no, or more than one, meaning, or does not say which of several it means.
    """
    meanings = readings(text, grammar)
    if len(meanings) != 1:
        return None
    (meaning,) = meanings
    if isinstance(meaning, Group):
        found = [i for i, thing in enumerate(seen) if _fits(thing, meaning.target)]
        counted = len(found) >= 2 and meaning.count in (None, len(found))
        return frozenset(found) if counted else None
    if isinstance(meaning, Pair):
        both = [_singled_out(program, seen) for program in (meaning.one, meaning.other)]
        return frozenset(i for found in both for i in found) if all(map(_single, both)) else None
    found = _singled_out(meaning, seen)
    return frozenset(found) if len(found) <= 1 else None


def _single(found: list[int]) -> bool:
    return len(found) == 1


def _singled_out(meaning: Program, seen: Sequence[Seen]) -> list[int]:
    found = [i for i, thing in enumerate(seen) if _fits(thing, meaning.target)]
    match meaning.place:
        case Extreme(side):
            found = _in_order(found, seen, side)[:1]
        case Ordinal(rank, side):
            found = _in_order(found, seen, side)[rank - 1 : rank]
        case Relation(name, landmark):
            found = _standing(name, found, landmark, seen)
    return found


def _fits(thing: Seen, description: Description) -> bool:
    said = dict(description.looks)
    return thing.category == description.category and said.items() <= thing.looks.items()


def _in_order(found: list[int], seen: Sequence[Seen], side: str) -> list[int]:
    if side in ("left", "right"):
        return sorted(found, key=lambda i: seen[i].x, reverse=side == "right")
    return sorted(found, key=lambda i: seen[i].y, reverse=side == "bottom")


def _standing(
    name: str, found: list[int], landmark: Description, seen: Sequence[Seen]
) -> list[int]:
    marks = [i for i, thing in enumerate(seen) if _fits(thing, landmark)]
    if len(marks) != 1:
        return []
    mark, rest = seen[marks[0]], [i for i in found if i != marks[0]]
    if name == "next-to":
        return sorted(rest, key=lambda i: math.dist((seen[i].x, seen[i].y), (mark.x, mark.y)))[:1]
    return [i for i in rest if _direction(seen[i], mark) == name]


def _direction(thing: Seen, mark: Seen) -> str:
    right, down = thing.x - mark.x, thing.y - mark.y
    if abs(right) > abs(down):
        return "right-of" if right > 0 else "left-of"
    return "below" if down > 0 else "above"
