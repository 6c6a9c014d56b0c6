"""What a text encoder is: expressions to tokens, tokens to features."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class TextFeatures(NamedTuple):
    """An encoded expression: every token, which tokens are real, and one vector for all."""

    tokens: Float[Tensor, "b t d"]
    mask: Bool[Tensor, "b t"]
    pooled: Float[Tensor, "b d"]


class Tokens(NamedTuple):
    """Tokenised expressions, padded to one length, and what was lost on the way.

    Attributes:
        ids: token ids.
        mask: which tokens are real.
        truncated: expressions that lost their end.
        unknown: words, or word pieces, that the vocabulary does not have.
        words: of how many.
    """

    ids: Int[Tensor, "b t"]
    mask: Bool[Tensor, "b t"]
    truncated: int
    unknown: int
    words: int


class Tokenizer(Protocol):
    """Expressions to token ids.

    Attributes:
        length: t, tokens of an expression with start and end; longer ones are cut before the end.
    """

    length: int

    @property
    def size(self) -> int:
        """Number of token ids, the special ones included."""

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenise expressions: start, words, end, padding. An empty one has no words."""


class TextEncoder(nn.Module):
    """Token ids to features.

    Attributes:
        width: d, width of a token's feature.
    """

    width: int

    def forward(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Encode tokenised expressions."""
        raise NotImplementedError


class Text(NamedTuple):
    """A text encoder and the tokenizer that it was made for."""

    encoder: TextEncoder
    tokenizer: Tokenizer
