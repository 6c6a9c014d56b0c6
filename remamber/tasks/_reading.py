"""How a model is shown a batch of expressions: as they are, or with something in their padding."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from remamber.models import Segmenter, TextFeatures
from remamber.models._text import Tokens
from remamber.plan.alterations import PaddingChange

if TYPE_CHECKING:
    from remamber.tasks._scoring import Item

Reader = Callable[[Segmenter, Tensor, Tokens, Sequence["Item"]], Tensor]
"""Model, pixels ``b 3 s s``, tokens of as many items and the items to logits ``b 1 s s``."""


def read_plainly(
    model: Segmenter, pixels: Float[Tensor, "b 3 s s"], tokens: Tokens, items: Sequence["Item"]
) -> Float[Tensor, "b 1 s s"]:
    """Logits of tokenised texts as they are."""
    ids, mask = tokens.ids.to(pixels.device), tokens.mask.to(pixels.device)
    logits: Tensor = model(pixels, ids, mask)
    return logits


class PaddedReader:
    """Logits of the items' texts with something else than padding behind their end.

    What a model may not read cannot change its masks. Every expression's filling follows from
    the seed and its own sentence id.

    Args:
        how: see ``alterations``.
        words: what is filled in is drawn from these.
        seed: of the run.
    """

    def __init__(self, how: PaddingChange, *, words: Sequence[str], seed: int) -> None:
        self._how, self._words, self._seed = how, words, seed

    def __call__(
        self,
        model: Segmenter,
        pixels: Float[Tensor, "b 3 s s"],
        tokens: Tokens,
        items: Sequence["Item"],
    ) -> Float[Tensor, "b 1 s s"]:
        """As ``read_plainly``, with other padding."""
        ids, mask = tokens.ids, tokens.mask
        draws = [np.random.default_rng((self._seed, item.expression.sent_id)) for item in items]
        if self._how == "words":
            ids = self._filled(model, ids, mask, draws)
        shown = torch.ones_like(mask) if self._how == "unmasked" else mask
        text = model.encode_text(ids.to(pixels.device), shown.to(pixels.device))
        if self._how == "noise":
            text = _noisy(text, draws)
        return model.segment(pixels, text)

    def _filled(
        self,
        model: Segmenter,
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"],
        draws: Sequence[np.random.Generator],
    ) -> Int[Tensor, "b t"]:
        """Token ids of drawn words where there was padding; neither start nor end among them."""
        length = ids.shape[1]
        texts = [" ".join(draw.choice(self._words, length)) for draw in draws]
        more = model.tokenizer(texts)
        filled = ids.clone()
        for row, (own, real) in enumerate(zip(more.ids, more.mask, strict=True)):
            pieces = own[real][1:-1]
            empty = ~mask[row]
            filled[row, empty] = pieces.repeat(length)[: int(empty.sum())]
        return filled


def _noisy(text: TextFeatures, draws: Sequence[np.random.Generator]) -> TextFeatures:
    """Normal noise of the real features' size in the place of padding's features."""
    features = text.tokens
    noise = np.stack([draw.standard_normal(features.shape[1:]) for draw in draws])
    drawn = torch.from_numpy(noise).to(features)
    real = text.mask.unsqueeze(2)
    size = (features.square() * real).sum((1, 2)) / (real.sum((1, 2)) * features.shape[2])
    noisy = drawn * size.sqrt()[:, None, None]
    return text._replace(tokens=torch.where(real, features, noisy))
