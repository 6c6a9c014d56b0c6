"""What a model finds in one photograph for one sentence, and which words it did not know."""

import re
from typing import NamedTuple

from remamber.datasets import Image, Mask
from remamber.errors import ExitCode, UserError
from remamber.models import Segmenter
from remamber.models._text import Tokenizer
from remamber.plan.protocols import DEFAULT, find_protocol
from remamber.tasks._mask_prediction import predicted_logits
from remamber.tasks._protocol_masks import predicted_mask

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class OwnMask(NamedTuple):
    """A mask at the photograph's size.

    Attributes:
        mask: bool ``h w``.
        unknown: words of the sentence that the model has never seen.
        is_cut: whether the sentence lost its end.
    """

    mask: Mask
    unknown: tuple[str, ...]
    is_cut: bool


def own_mask(model: Segmenter, image: Image, text: str, *, size: int) -> OwnMask:
    """The mask of what a sentence names, by the default protocol.

    Args:
        model: in evaluation mode.
        image: uint8 ``h w 3``.
        text: the sentence, with at least one word.
        size: side of the model's input, pixels.

    Raises:
        UserError: the model knows none of the words.
    """
    tokenizer = model.tokenizer
    words = words_of(text)
    unknown = unknown_words(tokenizer, words)
    if not any(_is_partly_known(tokenizer, word) for word in words):
        raise UserError(
            f"the model knows none of the words of '{text}'",
            where=[f"its vocabulary has {tokenizer.size:,} entries, those of its training data"],
            fix=["--text with words of the data that it was trained on", *_sample(tokenizer)],
            slug="unknown_words",
        )
    protocol = find_protocol(DEFAULT)
    logits = predicted_logits(model, [image], [text], size=size, protocol=protocol)
    height, width = image.shape[:2]
    mask = predicted_mask(logits[0], protocol, shape=(height, width))
    return OwnMask(mask, unknown, tokenizer([text]).truncated > 0)


def words_of(text: str) -> list[str]:
    """The words of a sentence, as they stand in it.

    Raises:
        UserError: it has none.
    """
    words = _WORD.findall(text)
    if not words:
        raise UserError(
            "the sentence is empty" if not text.strip() else f"there is no word in '{text}'",
            fix=['--text "the red cup"'],
            exit_code=ExitCode.USAGE,
            slug="empty_sentence",
        )
    return words


def unknown_words(tokenizer: Tokenizer, words: list[str]) -> tuple[str, ...]:
    """Those of some words that a tokenizer does not know, or drops, each once."""
    read = {word: tokenizer([word]) for word in words}
    return tuple(word for word, tokens in read.items() if tokens.unknown or not tokens.words)


def _is_partly_known(tokenizer: Tokenizer, word: str) -> bool:
    tokens = tokenizer([word])
    return tokens.unknown < tokens.words


def _sample(tokenizer: Tokenizer) -> list[str]:
    known = list(getattr(tokenizer, "ids", {}))[:12]
    return [f"it knows  {', '.join(known)}, ..."] if known else []
