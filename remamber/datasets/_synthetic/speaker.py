"""Finds what to say of a scene: targets, and distinct expressions that name exactly them."""

from collections.abc import Callable, Container, Sequence
from itertools import combinations
from typing import NamedTuple

from remamber.datasets._synthetic.check import all_pointed_at
from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import Grammar
from remamber.datasets._synthetic.knobs import Knobs
from remamber.datasets._synthetic.logic import Meaning, View
from remamber.datasets._synthetic.measure import Seen
from remamber.datasets._synthetic.plan import necessity, plan_program
from remamber.datasets._synthetic.plan_several import groups, plan_nothing, plan_pair
from remamber.datasets._synthetic.say import realise

_TRIES_PER_SENTENCE = 8

Plan = Callable[[], Meaning | None]


class Sentence(NamedTuple):
    """An expression, its meaning, what understanding it takes, whether it says no more."""

    text: str
    program: Meaning
    needs: tuple[str, ...]
    minimal: bool


class Target(NamedTuple):
    """Objects (counted from 0 in painting order) that the same expressions name together."""

    things: tuple[int, ...]
    sentences: tuple[Sentence, ...]


class Speaker:
    """Finds expressions for the objects of one scene.

    Args:
        dice: the random stream.
        grammar: the style.
        knobs: the settings of the data set.
        views: the objects as the scene has them.
        seen: the same as measured in the pixels, for the second check.
    """

    def __init__(
        self,
        dice: Dice,
        grammar: Grammar,
        knobs: Knobs,
        *,
        views: Sequence[View],
        seen: Sequence[Seen],
    ) -> None:
        self.dice = dice
        self.grammar = grammar
        self.knobs = knobs
        self.views = views
        self.seen = seen
        self.refused = 0

    def targets(self, eligible: Sequence[int], *, limit: int) -> tuple[Target, ...]:
        """Up to ``limit`` targets in random order, with their expressions.

        Args:
            eligible: objects that may be targets.
            limit: most targets.
        """
        found: list[Target] = []
        for thing in self.dice.shuffled(eligible):
            target = self._target(thing, eligible)
            if target is not None and target.things not in [t.things for t in found]:
                found.append(target)
            if len(found) == limit:
                break
        return tuple(found)

    def _target(self, thing: int, eligible: Sequence[int]) -> Target | None:
        """A target that has to do with an object: itself, it with others, or what it is not."""
        kind = "single"
        if len(self.grammar.targets) > 1:
            kind = self.dice.weighted(self.grammar.targets)
        if kind == "several":
            return self._several(thing, eligible)
        return self._nothing(thing) if kind == "none" else self._single(thing)

    def _single(self, thing: int) -> Target | None:
        margin = self.knobs.margin
        return self._said(
            (thing,),
            lambda: plan_program(self.dice, self.grammar, self.views, target=thing, margin=margin),
        )

    def _nothing(self, thing: int) -> Target | None:
        return self._said(
            (),
            lambda: plan_nothing(self.dice, self.grammar, self.knobs, views=self.views, near=thing),
        )

    def _several(self, thing: int, eligible: Sequence[int]) -> Target | None:
        margin = self.knobs.margin
        alike = [
            sayings
            for sayings in groups(self.views, margin=margin)
            if thing in sayings.targets and sayings.targets <= set(eligible)
        ]
        if alike and self.dice.chance(0.6):
            chosen = self.dice.pick(alike)
            return self._said(
                tuple(sorted(chosen.targets)), lambda: self.dice.pick(chosen.meanings)
            )
        pairs = [pair for pair in combinations(sorted(eligible), 2) if thing in pair]
        if not pairs:
            return None
        pair = self.dice.pick(pairs)
        return self._said(
            pair,
            lambda: plan_pair(self.dice, self.grammar, self.views, targets=pair, margin=margin),
        )

    def _said(self, things: tuple[int, ...], plan: Plan) -> Target | None:
        """Objects with distinct expressions, as many as the style wants; None if too few."""
        wanted = self.dice.whole(*self.grammar.sentences)
        found: dict[str, Sentence] = {}
        for _ in range(wanted * _TRIES_PER_SENTENCE):
            sentence = self._sentence(frozenset(things), plan, known=found)
            if sentence is not None:
                found[sentence.text] = sentence
            if len(found) == wanted:
                break
        enough = len(found) >= self.grammar.sentences[0]
        return Target(things, tuple(found.values())) if enough else None

    def _sentence(
        self, targets: frozenset[int], plan: Plan, *, known: Container[str]
    ) -> Sentence | None:
        meaning = plan()
        if meaning is None:
            return None
        text = realise(self.dice, self.grammar, meaning)
        if text in known or len(text.split()) > self.grammar.max_words:
            return None
        if all_pointed_at(text, self.seen, self.grammar) != targets:
            self.refused += 1
            return None
        needs, minimal = necessity(meaning, self.views, targets=targets, margin=self.knobs.margin)
        return Sentence(text, meaning, needs, minimal)
