"""Scenes: which objects there are, what they look like and where they stand, before drawing."""

import math
from dataclasses import dataclass

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.knobs import THINGS, Knobs

Looks = dict[str, str]
"""An object's attributes by name: size, and color texture or shirt trousers hat arms."""

_PLACING_TRIES = 50


@dataclass(frozen=True)
class Thing:
    """One object: its category and attributes, centre and half-extent in image sides."""

    category: str
    looks: Looks
    x: float
    y: float
    r: float
    skin: int = 0


@dataclass(frozen=True)
class Scene:
    """Objects in the order in which they are painted, and the seed of ground and noise."""

    things: tuple[Thing, ...]
    ground_seed: int


def sample_scene(dice: Dice, knobs: Knobs, *, split: str) -> Scene | None:
    """Draw a scene for a split; None where the objects found no room.

    A split decides what must be there: testA two people, testB two things of a category, testC a
    thing of a held-out colour and category, which no other split may show.
    """
    count = dice.whole(*knobs.objects)
    kinds: list[tuple[str, Looks]] = []
    for _ in range(count):
        kinds.append(_next_kind(dice, knobs, split=split, earlier=kinds))
    things: list[Thing] = []
    for category, looks in kinds:
        placed = _place(dice, knobs, category=category, looks=looks, others=things)
        if placed is None:
            return None
        things.append(placed)
    things.sort(key=lambda thing: thing.y)
    return Scene(tuple(things), dice.whole(0, 2**31 - 2))


def _next_kind(
    dice: Dice, knobs: Knobs, *, split: str, earlier: list[tuple[str, Looks]]
) -> tuple[str, Looks]:
    if split == "testC" and not earlier:
        color, category = dice.pick(sorted(knobs.held_out))
        return category, {**_fresh(dice, knobs, category), "color": color}
    while True:
        category, looks = _free_kind(dice, knobs, split=split, earlier=earlier)
        if split == "testC" or (looks.get("color"), category) not in knobs.held_out:
            return category, looks


def _free_kind(
    dice: Dice, knobs: Knobs, *, split: str, earlier: list[tuple[str, Looks]]
) -> tuple[str, Looks]:
    if split == "testA" and len(earlier) < 2:
        return "person", _fresh(dice, knobs, "person")
    if split in ("testB", "testC") and len(earlier) == 1:
        return earlier[0][0], _fresh(dice, knobs, earlier[0][0])
    if earlier and dice.chance(knobs.hard):
        return _near_copy(dice, knobs, *dice.pick(earlier))
    person = dice.chance(knobs.people) and not (split == "testB" and not earlier)
    category = "person" if person else dice.pick(THINGS)
    return category, _fresh(dice, knobs, category)


def _fresh(dice: Dice, knobs: Knobs, category: str) -> Looks:
    return {name: dice.pick(values) for name, values in _choices(knobs, category).items()}


def _choices(knobs: Knobs, category: str) -> dict[str, tuple[str, ...]]:
    size = {"size": ("small", "big")}
    if category != "person":
        return {**size, "color": knobs.colors, "texture": knobs.textures}
    hats = (*knobs.colors, *["none"] * len(knobs.colors))
    worn = {"shirt": knobs.colors, "trousers": knobs.colors, "hat": hats}
    return {**size, **worn, "arms": ("up", "down")}


def _near_copy(dice: Dice, knobs: Knobs, category: str, looks: Looks) -> tuple[str, Looks]:
    choices = _choices(knobs, category)
    names = [name for name in choices if len(set(choices[name])) > 1]
    if category != "person":
        names.append("category")
    name = dice.pick(names)
    if name == "category":
        return dice.pick([thing for thing in THINGS if thing != category]), dict(looks)
    others = [value for value in choices[name] if value != looks[name]]
    return category, {**looks, name: dice.pick(others)}


def _place(
    dice: Dice, knobs: Knobs, *, category: str, looks: Looks, others: list[Thing]
) -> Thing | None:
    r = dice.between(*(knobs.big if looks["size"] == "big" else knobs.small))
    half_width = r
    if category == "person":
        r *= knobs.people_scale
        half_width = r / 2
    for _ in range(_PLACING_TRIES):
        x, y = dice.between(half_width, 1 - half_width), dice.between(r, 1 - r)
        if all(math.hypot(x - o.x, y - o.y) >= knobs.gap * (r + o.r) for o in others):
            return Thing(category, looks, x, y, r, dice.whole(0, 2))
    return None
