"""The text encoder ``word``, which needs no download.

A vocabulary of the training expressions and a small CLIP text tower from a configuration,
trained from scratch.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from remamber.models._text import TextEncoder, TextFeatures, Tokens

_WORD = re.compile(r"[a-z0-9]+")
_PAD, _START, _UNKNOWN, _END = range(4)
_SPECIAL = 4


class WordTokenizer:
    """Whole words of the training expressions; every other word is one unknown token.

    Args:
        texts: expressions that define the vocabulary; the order does not matter.
        length: tokens of an expression with start and end; longer ones are cut.
    """

    def __init__(self, texts: Iterable[str], *, length: int) -> None:
        counts = Counter(word for text in texts for word in split_words(text))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        self.length = length
        self.ids = {word: i for i, word in enumerate(ranked, start=_SPECIAL)}

    @property
    def size(self) -> int:
        """Number of token ids, the four special ones included."""
        return _SPECIAL + len(self.ids)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenise expressions: start, words, end, padding."""
        ids = torch.full((len(texts), self.length), _PAD, dtype=torch.long)
        truncated = unknown = total = 0
        for row, text in enumerate(texts):
            words = split_words(text)
            kept = [self.ids.get(word, _UNKNOWN) for word in words[: self.length - 2]]
            truncated += len(kept) < len(words)
            unknown += kept.count(_UNKNOWN)
            total += len(words)
            ids[row, : len(kept) + 2] = torch.tensor([_START, *kept, _END])
        return Tokens(ids, ids != _PAD, truncated, unknown, total)


def split_words(text: str) -> list[str]:
    """Lower-case runs of letters and digits."""
    return _WORD.findall(text.lower())


class WordEncoder(TextEncoder):
    """A small CLIP text tower over the built-in tokenizer's ids, trained from scratch.

    Args:
        vocabulary: number of token ids.
        length: tokens of an expression.
        width: d, width of a token's feature.
        layers: transformer layers.
    """

    def __init__(self, vocabulary: int, *, length: int, width: int, layers: int) -> None:
        super().__init__()
        # transformers is slow to import and only needed where a model is built.
        from transformers import CLIPTextConfig, CLIPTextModel

        self.width = width
        config = CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=layers,
            num_attention_heads=max(1, width // 32),
            max_position_embeddings=length,
            pad_token_id=_PAD,
            bos_token_id=_START,
            eos_token_id=_END,
        )
        self.tower = CLIPTextModel(config)
        # CLIP starts its embeddings at 0.02, far below what its blocks add, so that a word is
        # lost in its context until it has been learned back. From scratch in minutes that is
        # most of the run: a start at 1 lets the first steps see words.
        nn.init.normal_(self.tower.get_input_embeddings().weight, std=1.0)

    def forward(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Encode tokenised expressions; the pooled feature is that of the end token."""
        output = self.tower(input_ids=ids, attention_mask=mask.long())
        return TextFeatures(output.last_hidden_state, mask, output.pooler_output)
