"""What to say of several objects at once, and what to say that is true of none."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import Grammar
from remamber.datasets._synthetic.knobs import CATEGORIES, Knobs
from remamber.datasets._synthetic.logic import (
    Description,
    Group,
    Pair,
    Program,
    View,
    denotation,
    picks_out,
)
from remamber.datasets._synthetic.plan import plan_program

_MOST = 4
"""A larger group has no word for its number."""


class Sayings(NamedTuple):
    """The objects that a group of expressions names, and the groups that name exactly them."""

    targets: frozenset[int]
    meanings: tuple[Group, ...]


def groups(views: Sequence[View], *, margin: float) -> list[Sayings]:
    """Every set of objects that share a category, or a category and one attribute."""
    found: dict[frozenset[int], list[Group]] = {}
    for description in _shared(views):
        truths = denotation(Group(description), views, margin=margin)
        targets = frozenset(i for i, truth in enumerate(truths) if truth)
        if None in truths or len(targets) > _MOST:
            continue
        counted = [Group(description), Group(description, len(targets))]
        found.setdefault(targets, []).extend(counted)
    return [Sayings(targets, tuple(meanings)) for targets, meanings in found.items()]


def _shared(views: Sequence[View]) -> list[Description]:
    """Descriptions of two objects or more, in a fixed order."""
    several: dict[Description, int] = {}
    for view in views:
        worth = [look for look in view.looks.items() if look[1] not in (None, "none")]
        for looks in ((), *((look,) for look in worth)):
            description = Description(view.category, tuple((k, v) for k, v in looks if v))
            several[description] = several.get(description, 0) + 1
    return [description for description, count in several.items() if count > 1]


def plan_pair(
    dice: Dice, grammar: Grammar, views: Sequence[View], *, targets: Sequence[int], margin: float
) -> Pair | None:
    """Two objects, each by what it is or by its outermost place; None where that fails."""
    plans = {name: grammar.plans[name] for name in ("attributes", "extreme")}
    simple = replace(grammar, plans=plans)
    parts = [
        plan_program(dice, simple, views, target=target, margin=margin)
        for target in dice.shuffled(targets)
    ]
    one, other = parts
    return None if one is None or other is None else Pair(one, other)


def plan_nothing(
    dice: Dice, grammar: Grammar, knobs: Knobs, *, views: Sequence[View], near: int
) -> Program | None:
    """What would be true of an object if one thing about it were different, and is so of none.

    Args:
        dice: the random stream.
        grammar: the style.
        knobs: the colours and surfaces in use, and the margin.
        views: the objects of the scene.
        near: the object that it is almost true of.
    """
    program = plan_program(dice, grammar, views, target=near, margin=knobs.margin)
    if program is None:
        return None
    changed = replace(program, target=_changed(dice, knobs, program.target))
    empty: frozenset[int] = frozenset()
    return changed if picks_out(changed, views, targets=empty, margin=knobs.margin) else None


def _changed(dice: Dice, knobs: Knobs, description: Description) -> Description:
    """The same but for one attribute, or for the category where nothing else is said."""
    if description.looks and dice.chance(0.75):
        name, value = dice.pick(description.looks)
        other = dice.pick([v for v in _values(knobs, name) if v != value])
        kept = [look for look in description.looks if look[0] != name]
        return replace(description, looks=tuple(sorted([*kept, (name, other)])))
    person = description.category == "person"
    things = [c for c in CATEGORIES if c not in ("person", description.category)]
    return description if person else replace(description, category=dice.pick(things))


def _values(knobs: Knobs, name: str) -> tuple[str, ...]:
    fixed = {"size": ("small", "big"), "arms": ("up", "down"), "texture": knobs.textures}
    return fixed.get(name, knobs.colors)
