"""What to say: attributes or a place that single out a target, as people would choose them.

Attributes follow Dale and Reiter's incremental algorithm in random order of preference: one is
added only if it rules out a distractor. People say more than they need, so does this.
"""

from collections.abc import Iterator, Sequence

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import Grammar
from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Ordinal,
    Place,
    Program,
    Relation,
    Side,
    View,
    denotation,
    matches,
    only,
)

Look = tuple[str, str]

_SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
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
        spare = grammar.redundancy
        described = _incremental(dice, views, target=target, redundancy=spare)
        return None if described is None else Program(described)
    looks: tuple[Look, ...] = ()
    said = sayable(views, target)
    if said and dice.chance(grammar.detail):
        looks = (dice.pick(said),)
    description = Description(views[target].category, looks)
    if singles_out(Program(description), views, target=target, margin=margin):
        return None
    for place in _places(dice, plan, views, target):
        program = Program(description, place)
        if singles_out(program, views, target=target, margin=margin):
            return program
    return None


def singles_out(program: Program, views: Sequence[View], *, target: int, margin: float) -> bool:
    """Whether a program is true of the target and false of every other object."""
    return only(denotation(program, views, margin=margin)) == target


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
    dice: Dice, views: Sequence[View], *, target: int, redundancy: float
) -> Description | None:
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
    if spare and dice.chance(redundancy):
        chosen.append(dice.pick(spare))
    return Description(category, tuple(sorted(chosen)))


def _places(dice: Dice, plan: str, views: Sequence[View], target: int) -> Iterator[Place]:
    if plan == "extreme":
        yield from (Extreme(side) for side in dice.shuffled(_SIDES))
    elif plan == "ordinal":
        alike = sum(view.category == views[target].category for view in views)
        ranks = [rank for rank in (2, 3) if rank <= (alike + 1) // 2]
        yield from dice.shuffled([Ordinal(rank, side) for rank in ranks for side in _FROM])
    else:
        names = ("left-of", "right-of", "above", "below", "next-to")
        for place in dice.shuffled([i for i in range(len(views)) if i != target]):
            landmark = _incremental(dice, views, target=place, redundancy=0.0)
            if landmark is not None:
                yield from (Relation(name, landmark) for name in dice.shuffled(names))


def necessity(
    program: Program, views: Sequence[View], *, target: int, margin: float
) -> tuple[tuple[str, ...], bool]:
    """What understanding the program takes, and whether it says nothing in vain.

    Returns:
        Those of noun, attr (all attributes), relation, location without which it no longer
        singles out the target; and whether that is true of every single part of it.
    """

    def needed(without: Program) -> bool:
        return not singles_out(without, views, target=target, margin=margin)

    category, looks = program.target.category, program.target.looks
    noun = needed(Program(Description(None, looks), program.place))
    attributes = bool(looks) and needed(Program(Description(category), program.place))
    placed = program.place is not None and needed(Program(program.target))
    kind = "relation" if isinstance(program.place, Relation) else "location"
    needs = [("noun", noun), ("attr", attributes), (kind, placed)]
    fewer = [Program(_without(program.target, look), program.place) for look in looks]
    minimal = all(needed(less) for less in fewer) and (placed or program.place is None)
    return tuple(name for name, need in needs if need), minimal


def _without(description: Description, look: Look) -> Description:
    return Description(description.category, tuple(x for x in description.looks if x != look))
