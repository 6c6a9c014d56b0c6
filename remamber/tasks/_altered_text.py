"""Expressions that are altered before a model reads them, to see what of them it reads."""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remamber.datasets._word_kinds import kinds_of, words_of
from remamber.plan.alterations import TextChange
from remamber.tasks._scoring import Item, shuffled_among_images

_LEFT_OUT: dict[TextChange, str] = {
    "no-nouns": "noun",
    "no-attributes": "attribute",
    "no-locations": "location",
    "no-relations": "relation",
}


class Altered(NamedTuple):
    """Items with altered expressions, and what became of them.

    Attributes:
        items: in the given order; an expression that the alteration does not touch is as it was.
        changed: how many have other words, or the same in another order.
        emptied: how many of those have no word left.
    """

    items: Sequence[Item]
    changed: int
    emptied: int


def altered(items: Sequence[Item], how: TextChange, *, seed: int) -> Altered:
    """The items with altered expressions; each follows from its own words and number alone.

    Only ``other-image`` looks at the other items: it gives each the text of one of them.

    Args:
        items: what is to be scored.
        how: see ``alterations``.
        seed: of the run; words are shuffled by it and by the sentence's id.
    """
    if how == "as-is":
        return Altered(items, 0, 0)
    if how == "other-image":
        made = shuffled_among_images(items)
    else:
        made = [
            item._replace(text=altered_text(item.text, how, key=(seed, item.expression.sent_id)))
            for item in items
        ]
    pairs = [(words_of(old.text), words_of(new.text)) for old, new in zip(items, made, strict=True)]
    # What is no word, such as a lone question mark, is read too: "empty" leaves nothing of it.
    kept = [
        old if before == after and how != "empty" else new
        for old, new, (before, after) in zip(items, made, pairs, strict=True)
    ]
    changed = [after for before, after in pairs if before != after]
    return Altered(kept, len(changed), sum(not after for after in changed))


def altered_text(text: str, how: TextChange, *, key: tuple[int, int]) -> str:
    """One expression, altered by itself: its words in lower case, without punctuation.

    Args:
        text: the expression.
        how: any change but ``other-image``, which takes several expressions.
        key: seed and sentence id.
    """
    words = words_of(text)
    if how == "empty":
        return ""
    if how == "shuffled-words":
        return " ".join(_shuffled(words, key))
    kinds = kinds_of(words)
    if how == "nouns-only":
        return " ".join(w for w, kind in zip(words, kinds, strict=True) if kind == "noun")
    gone = _LEFT_OUT[how]
    return " ".join(w for w, kind in zip(words, kinds, strict=True) if kind != gone)


def _shuffled(words: Sequence[str], key: tuple[int, int]) -> Sequence[str]:
    """Another order of the words, if there is one."""
    if len(set(words)) < 2:
        return words
    generator = np.random.default_rng((*key, zlib.crc32(" ".join(words).encode())))
    while True:
        order = tuple(words[i] for i in generator.permutation(len(words)))
        if order != tuple(words):
            return order


def vocabulary_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The different words of expressions, the most frequent first."""
    counts = Counter(word for text in texts for word in words_of(text))
    return tuple(sorted(counts, key=lambda word: (-counts[word], word)))
