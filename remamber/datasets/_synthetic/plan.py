"""What to say: attributes or a place that single out a target, as people would choose them.

Attributes follow Dale and Reiter's incremental algorithm in random order of preference: one is
added only if it rules out a distractor. People say more than they need, so does this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import Grammar
from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Meaning,
    Ordinal,
    Pair,
    Place,
    Program,
    Relation,
    Side,
    View,
    matches,
    picks_out,
)

Look = tuple[str, str]

_SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
_NEEDS = ("noun", "attr", "relation", "location")
_FROM: tuple[Side, ...] = ("left", "right")
_BY_CONTRAST = (("size", "small"), ("size", "big"), ("texture", "plain"), ("arms", "down"))


def plan_program(
    dice: Dice, grammar: Grammar, views: Sequence[View], *, target: int, margin: float
) -> Program | None:
    """A program that is true of the target alone and false of all else, or None.

    A location or relation is only used where the description without it would not do.
    """
    plan = dice.weighted(grammar.plans)
    if plan == "attributes":
        described = _incremental(dice, views, target=target, grammar=grammar)
        return None if described is None else Program(described)
    looks: tuple[Look, ...] = ()
    said = sayable(views, target)
    if said and dice.chance(grammar.detail):
        looks = (dice.pick(said),)
    description = Description(views[target].category, looks)
    if singles_out(Program(description), views, target=target, margin=margin):
        return None
    for place in _places(dice, grammar, plan, views=views, target=target):
        program = Program(description, place)
        if singles_out(program, views, target=target, margin=margin):
            return program
    return None


def singles_out(program: Program, views: Sequence[View], *, target: int, margin: float) -> bool:
    """Whether a program is true of the target and false of every other object."""
    return picks_out(program, views, targets=frozenset((target,)), margin=margin)


def sayable(views: Sequence[View], target: int) -> list[Look]:
    """Attributes one could mention of an object.

    Some are only worth a word in contrast: "big" needs a small one of its kind in sight.
    """
    view = views[target]
    return [
        (name, value)
        for name, value in view.looks.items()
        if value not in (None, "none")
        and value is not None
        and ((name, value) not in _BY_CONTRAST or _contrasts(views, view, name))
    ]


def _contrasts(views: Sequence[View], view: View, name: str) -> bool:
    return any(
        other.category == view.category and other.looks[name] not in (None, view.looks[name])
        for other in views
    )


def _incremental(
    dice: Dice, views: Sequence[View], *, target: int, grammar: Grammar | None
) -> Description | None:
    """Attributes that suffice, and with a grammar some that it adds."""
    category = views[target].category
    rivals = [v for i, v in enumerate(views) if i != target and v.category == category]
    chosen: list[Look] = []
    spare: list[Look] = []
    for look in dice.shuffled(sayable(views, target)):
        left = [r for r in rivals if matches(Description(None, (look,)), r) is not False]
        (chosen if len(left) < len(rivals) else spare).append(look)
        rivals = left
    if rivals:
        return None
    for _ in range(grammar.extras if grammar is not None else 1):
        if spare and dice.chance(grammar.redundancy if grammar is not None else 0.0):
            chosen.append(dice.pick(spare))
            spare.remove(chosen[-1])
    return Description(category, tuple(sorted(chosen)))


def _places(
    dice: Dice, grammar: Grammar, plan: str, *, views: Sequence[View], target: int
) -> Iterator[Place]:
    if plan == "extreme":
        yield from (Extreme(side) for side in dice.shuffled(_SIDES))
    elif plan == "ordinal":
        alike = sum(view.category == views[target].category for view in views)
        ranks = [rank for rank in (2, 3) if rank <= (alike + 1) // 2]
        yield from dice.shuffled([Ordinal(rank, side) for rank in ranks for side in _FROM])
    else:
        for place in dice.shuffled([i for i in range(len(views)) if i != target]):
            landmark = _incremental(dice, views, target=place, grammar=None)
            if landmark is not None:
                yield from (Relation(name, landmark) for name in dice.shuffled(grammar.relations))


def necessity(
    meaning: Meaning, views: Sequence[View], *, targets: frozenset[int], margin: float
) -> tuple[tuple[str, ...], bool]:
    """What understanding an expression takes, and whether it says nothing in vain.

    Returns:
        Those of noun, attr (all attributes), relation, location without which it no longer
        names exactly the targets; and whether that is true of every single part of it.
    """

    def needed(without: Meaning) -> bool:
        return not picks_out(without, views, targets=targets, margin=margin)

    if isinstance(meaning, Pair):
        return _necessity_of_both(meaning, views, targets=targets, margin=margin)
    category, looks = meaning.target.category, meaning.target.looks
    place = meaning.place if isinstance(meaning, Program) else None
    noun = needed(replace(meaning, target=Description(None, looks)))
    attributes = bool(looks) and needed(replace(meaning, target=Description(category)))
    placed = place is not None and needed(Program(meaning.target))
    kind = "relation" if isinstance(place, Relation) else "location"
    needs = [("noun", noun), ("attr", attributes), (kind, placed)]
    fewer = [replace(meaning, target=_without(meaning.target, look)) for look in looks]
    minimal = all(needed(less) for less in fewer) and (placed or place is None)
    return tuple(name for name, need in needs if need), minimal


def _necessity_of_both(
    pair: Pair, views: Sequence[View], *, targets: frozenset[int], margin: float
) -> tuple[tuple[str, ...], bool]:
    found: set[str] = set()
    minimal = True
    for program in (pair.one, pair.other):
        mine = [frozenset((i,)) for i in targets]
        own = next(t for t in mine if picks_out(program, views, targets=t, margin=margin))
        needs, short = necessity(program, views, targets=own, margin=margin)
        found.update(needs)
        minimal = minimal and short
    return tuple(name for name in _NEEDS if name in found), minimal


def _without(description: Description, look: Look) -> Description:
    return Description(description.category, tuple(x for x in description.looks if x != look))
