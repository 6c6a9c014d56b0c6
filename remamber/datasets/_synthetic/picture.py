"""One image of the data set: a scene that can be read, its targets and what is said of them."""

from collections.abc import Container, Sequence
from typing import NamedTuple

from remamber.datasets._synthetic.check import pointed_at
from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.draw import Canvas, paint
from remamber.datasets._synthetic.grammar import Grammar, load_grammar
from remamber.datasets._synthetic.knobs import Knobs, Recipe
from remamber.datasets._synthetic.logic import Program, View
from remamber.datasets._synthetic.measure import Seen, measure
from remamber.datasets._synthetic.plan import necessity, plan_program
from remamber.datasets._synthetic.say import realise
from remamber.datasets._synthetic.scene import Scene, Thing, sample_scene
from remamber.datasets._synthetic.sight import all_visible, look_at

_ATTEMPTS = 400
_TRIES_PER_SENTENCE = 8
_SIGHT_SIDE = 64
"""Scenes are judged at this side, so that one seed gives one scene whatever the image size."""


class Sentence(NamedTuple):
    """An expression, its meaning, what understanding it takes, whether it says no more."""

    text: str
    program: Program
    needs: tuple[str, ...]
    minimal: bool


class Target(NamedTuple):
    """An object (counted from 0 in painting order) and its expressions."""

    thing: int
    sentences: tuple[Sentence, ...]


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
    speaker = _Speaker(dice, load_grammar(recipe.style), views, seen)
    targets = speaker.targets(_eligible(scene, knobs, split), _limit(knobs, split), knobs.margin)
    return Picture(scene, drawn, targets, attempt + 1, speaker.refused) if targets else None


def _measured(scene: Scene, canvas: Canvas, knobs: Knobs) -> list[Seen]:
    categories = [thing.category for thing in scene.things]
    return measure(canvas, categories, people_scale=knobs.people_scale)


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


class _Speaker:
    """Finds expressions for the objects of one scene."""

    def __init__(
        self, dice: Dice, grammar: Grammar, views: Sequence[View], seen: Sequence[Seen]
    ) -> None:
        self.dice = dice
        self.grammar = grammar
        self.views = views
        self.seen = seen
        self.refused = 0

    def targets(self, eligible: Sequence[int], limit: int, margin: float) -> tuple[Target, ...]:
        """Up to ``limit`` of the eligible objects, in random order, with their expressions."""
        found: list[Target] = []
        for thing in self.dice.shuffled(eligible):
            sentences = self._sentences(thing, margin)
            if len(sentences) >= self.grammar.sentences[0]:
                found.append(Target(thing, sentences))
            if len(found) == limit:
                break
        return tuple(found)

    def _sentences(self, thing: int, margin: float) -> tuple[Sentence, ...]:
        wanted = self.dice.whole(*self.grammar.sentences)
        found: dict[str, Sentence] = {}
        for _ in range(wanted * _TRIES_PER_SENTENCE):
            sentence = self._sentence(thing, margin, known=found)
            if sentence is not None:
                found[sentence.text] = sentence
            if len(found) == wanted:
                break
        return tuple(found.values())

    def _sentence(self, thing: int, margin: float, *, known: Container[str]) -> Sentence | None:
        program = plan_program(self.dice, self.grammar, self.views, target=thing, margin=margin)
        if program is None:
            return None
        text = realise(self.dice, self.grammar, program)
        if text in known or len(text.split()) > self.grammar.max_words:
            return None
        if pointed_at(text, self.seen, self.grammar) != thing:
            self.refused += 1
            return None
        needs, minimal = necessity(program, self.views, target=thing, margin=margin)
        return Sentence(text, program, needs, minimal)
