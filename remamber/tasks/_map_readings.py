"""Of which tokens a map is read: all real ones, the words of a kind, or each word by itself."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from remamber.datasets._word_kinds import kinds_of
from remamber.models._text import Tokenizer
from remamber.models._token_words import NO_WORD, token_words

ALL = "all"
"""The reading of every real token, start and end included."""

READINGS = (ALL, "noun", "attribute", "location", "relation")
"""All tokens first, then the words of one kind."""


class Reading(NamedTuple):
    """Which tokens of an expression take part in a map.

    Attributes:
        names: of the readings; of words, the word itself.
        tokens: of each reading, 1 for a token that takes part.
    """

    names: tuple[str, ...]
    tokens: Float[Tensor, "r t"]


def by_kind(tokenizer: Tokenizer, texts: Sequence[str]) -> Float[Tensor, "b r t"]:
    """The readings of ``READINGS``; a row is zero where the expression has no such word."""
    weights = torch.zeros(len(texts), len(READINGS), tokenizer.length)
    weights[:, 0] = 1.0
    for i, text in enumerate(texts):
        words, places = token_words(tokenizer, text)
        kinds = kinds_of(words)
        for token, place in enumerate(places):
            if place != NO_WORD and kinds[place] in READINGS:
                weights[i, READINGS.index(kinds[place]), token] = 1.0
    return weights


def by_word(tokenizer: Tokenizer, text: str) -> Reading:
    """All tokens together, then each word by itself."""
    words, places = token_words(tokenizer, text)
    weights = torch.zeros(1 + len(words), tokenizer.length)
    weights[0] = 1.0
    for token, place in enumerate(places):
        if place != NO_WORD:
            weights[1 + place, token] = 1.0
    return Reading((ALL, *words), weights)
