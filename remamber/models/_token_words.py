"""Which word of an expression each token is, or is a piece of."""

from typing import NamedTuple

from remamber.models._text import Tokenizer
from remamber.models._text_pretrained import PretrainedTokenizer
from remamber.models._text_word import WordTokenizer, split_words

NO_WORD = -1
"""The place of a token that is no word: start, end or padding."""


class TokenWords(NamedTuple):
    """The words of an expression as its tokenizer sees them.

    Attributes:
        words: in order; those that were cut off are not there.
        places: of each of the t tokens, the place of its word, or ``NO_WORD``.
    """

    words: tuple[str, ...]
    places: tuple[int, ...]


def token_words(tokenizer: Tokenizer, text: str) -> TokenWords:
    """The words of a text and the tokens that stand for them.

    Args:
        tokenizer: one whose words are not known makes a word of every real token.
        text: an expression.
    """
    if isinstance(tokenizer, PretrainedTokenizer):
        return TokenWords(*tokenizer.words_of(text))
    if isinstance(tokenizer, WordTokenizer):
        words = tuple(split_words(text)[: tokenizer.length - 2])
        return TokenWords(words, _padded(range(len(words)), tokenizer.length, before=1))
    real = int(tokenizer([text]).mask.sum())
    words = tuple(f"token {number}" for number in range(1, real + 1))
    return TokenWords(words, _padded(range(real), tokenizer.length, before=0))


def _padded(places: range, length: int, *, before: int) -> tuple[int, ...]:
    after = length - before - len(places)
    return (*[NO_WORD] * before, *places, *[NO_WORD] * after)
