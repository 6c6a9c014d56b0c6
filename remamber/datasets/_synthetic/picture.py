"""One image of the data set: a scene that can be read, its targets and what is said of them."""

from collections.abc import Sequence
from typing import NamedTuple

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.draw import Canvas, paint
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.knobs import Knobs, Recipe
from remamber.datasets._synthetic.logic import View
from remamber.datasets._synthetic.measure import Seen, measure
from remamber.datasets._synthetic.scene import Scene, Thing, sample_scene
from remamber.datasets._synthetic.sight import all_visible, look_at
from remamber.datasets._synthetic.speaker import Speaker, Target

_ATTEMPTS = 400
_SIGHT_SIDE = 64
"""Scenes are judged at this side, so that one seed gives one scene whatever the image size."""


class Picture(NamedTuple):
    """An image with its targets.

    Attributes:
        scene: what was drawn.
        canvas: pixels and masks.
        targets: objects that are referred to.
        attempts: scenes drawn until this one could be used.
        refused: expressions that the check of the string did not confirm; they were dropped.
    """

    scene: Scene
    canvas: Canvas
    targets: tuple[Target, ...]
    attempts: int
    refused: int


def make_picture(recipe: Recipe, split: str, index: int) -> Picture:
    """Make image ``index`` of a split; it depends on the recipe and these two alone.

    Raises:
        RuntimeError: no attempt gave a usable scene, so the knobs contradict each other.
    """
    for attempt in range(_ATTEMPTS):
        dice = Dice(f"{recipe.seed}/{split}/{index}/{attempt}")
        picture = _attempt(dice, recipe, split=split, attempt=attempt)
        if picture is not None:
            return picture
    raise RuntimeError(f"no usable scene for image {index} of {split} in {_ATTEMPTS} attempts")


def _attempt(dice: Dice, recipe: Recipe, *, split: str, attempt: int) -> Picture | None:
    knobs = recipe.knobs
    scene = sample_scene(dice, knobs, split=split)
    if scene is None or not _eligible(scene, knobs, split):
        return None
    sketch = paint(scene, side=_SIGHT_SIDE, noise=knobs.noise)
    if not all_visible(sketch, knobs):
        return None
    views = look_at(scene, sketch)
    drawn, seen = sketch, _measured(scene, sketch, knobs)
    if not _legible(views, seen):
        return None
    if knobs.side != _SIGHT_SIDE:
        drawn = paint(scene, side=knobs.side, noise=knobs.noise)
        seen = _measured(scene, drawn, knobs)
    grammar = load_grammar(recipe.style, relations=knobs.relations)
    speaker = Speaker(dice, grammar, knobs, views=views, seen=seen)
    targets = speaker.targets(_eligible(scene, knobs, split), limit=_limit(knobs, split))
    return Picture(scene, drawn, targets, attempt + 1, speaker.refused) if targets else None


def _measured(scene: Scene, canvas: Canvas, knobs: Knobs) -> list[Seen]:
    categories = [thing.category for thing in scene.things]
    return measure(
        canvas, categories, people_scale=knobs.people_scale, boundary=knobs.size_boundary
    )


def _legible(views: Sequence[View], seen: Sequence[Seen]) -> bool:
    """Whether every attribute that counts as visible can be read from the pixels."""
    return all(
        value is None or measured.looks.get(name) == value
        for view, measured in zip(views, seen, strict=True)
        for name, value in view.looks.items()
    )


def _limit(knobs: Knobs, split: str) -> int:
    return dict(knobs.splits)[split].targets


def _eligible(scene: Scene, knobs: Knobs, split: str) -> list[int]:
    """Objects that may be targets: another of their category is there to be told from."""
    categories = [thing.category for thing in scene.things]
    return [
        i
        for i, thing in enumerate(scene.things)
        if categories.count(thing.category) > 1 and _suits(thing, knobs, split)
    ]


def _suits(thing: Thing, knobs: Knobs, split: str) -> bool:
    match split:
        case "testA":
            return thing.category == "person"
        case "testB":
            return thing.category != "person"
        case "testC":
            return (thing.looks.get("color"), thing.category) in knobs.held_out
    return True
