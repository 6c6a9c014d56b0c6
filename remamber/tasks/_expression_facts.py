"""What is known of an expression and its target before a model looks at them: columns of counts.

They make the slices of a table: what the expression needs, how long it is, how large and how far
from the image's centre its target, how many objects of the same class stand beside it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeGuard

import numpy as np

from remamber.datasets import Expression, Mask, Referent, ReferringDataset
from remamber.datasets._same_class import NOT_KNOWN, KnowsClasses
from remamber.datasets._word_kinds import mentioned
from remamber.models._text import Tokenizer, Tokens
from remamber.record.schema import BY_PROGRAM, BY_WORDS

NEEDS = {"noun": 1, "attr": 2, "relation": 4, "location": 8}
"""Bits of the ``needs`` column."""


class Facts(NamedTuple):
    """One expression's columns, integers; -1 where the data set does not know.

    Attributes:
        needs: the bits of ``NEEDS``: what understanding takes by the generator's program or,
            where there is none, what the words mention.
        words: how many the expression has.
        same_class: other objects of the target's class in the image.
        centre_distance: from the image's centre to that of the target's pixels, in thousandths of
            half the image's diagonal.
    """

    needs: int
    words: int
    same_class: int
    centre_distance: int


class _OfTarget(NamedTuple):
    same_class: int
    centre_distance: int


class ExpressionFacts:
    """Finds the facts of the expressions of some refs; a target's are looked at once.

    Args:
        dataset: where they are from.
        refs: the refs; if no expression of theirs says what it needs, its words are read.
    """

    def __init__(self, dataset: ReferringDataset, refs: Sequence[Referent]) -> None:
        self._dataset = dataset
        self._stated = needs_are_stated(refs)
        self._of_targets: dict[int, _OfTarget] = {}

    def of(self, ref: Referent, expression: Expression, target: Mask) -> Facts:
        """The facts of one expression.

        Args:
            ref: whose expression it is.
            expression: the expression.
            target: the ref's mask at the image's size.
        """
        if ref.ref_id not in self._of_targets:
            same = self._dataset.same_class(ref) if _knows(self._dataset) else NOT_KNOWN
            self._of_targets[ref.ref_id] = _OfTarget(same, centre_distance(target))
        needs = expression.needs if self._stated else mentioned(expression.text)
        return Facts(
            sum(NEEDS.get(need, 0) for need in needs),
            len(expression.text.split()),
            *self._of_targets[ref.ref_id],
        )


def _knows(dataset: ReferringDataset) -> TypeGuard[KnowsClasses]:
    return isinstance(dataset, KnowsClasses)


def needs_are_stated(refs: Iterable[Referent]) -> bool:
    """Whether the data set says of any expression what understanding it takes."""
    return any(expression.needs for ref in refs for expression in ref.expressions)


def needs_by(refs: Iterable[Referent]) -> str:
    """Where the ``needs`` column comes from, for the record."""
    return BY_PROGRAM if needs_are_stated(refs) else BY_WORDS


def centre_distance(target: Mask) -> int:
    """How far the target's centre is from the image's, in thousandths of half the diagonal.

    Args:
        target: bool ``h w``.

    Returns:
        0 for the middle, 1000 for a corner, -1 for no target.
    """
    rows, columns = (np.count_nonzero(target, axis=axis) for axis in (1, 0))
    pixels = int(rows.sum())
    if not pixels:
        return NOT_KNOWN
    height, width = target.shape
    down = float(rows @ (np.arange(height) + 0.5)) / pixels - height / 2
    right = float(columns @ (np.arange(width) + 0.5)) / pixels - width / 2
    return round(1000 * math.hypot(down, right) / (math.hypot(height, width) / 2))


def cut_short(tokenizer: Tokenizer, texts: Sequence[str], tokens: Tokens) -> list[bool]:
    """Which texts lost their end.

    Args:
        tokenizer: the model's.
        texts: expressions.
        tokens: what the tokenizer made of all of them together.
    """
    if tokens.truncated in (0, len(texts)):
        return [tokens.truncated > 0] * len(texts)
    return [tokenizer([text]).truncated > 0 for text in texts]
