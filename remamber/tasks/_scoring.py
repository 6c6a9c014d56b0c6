"""Scores every expression of a split: integer intersection and union with the target.

Protocol ``orig-bilinear-0.5``: logits are resized to the image's own resolution (bilinear,
align_corners false) and a pixel is foreground if its sigmoid exceeds 0.5. Differs from the
release, which resizes by nearest neighbour.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from remamber.datasets import Expression, Mask, Referent, ReferringDataset
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import normalise
from remamber.models import Segmenter

NEEDS = {"noun": 1, "attr": 2, "relation": 4, "location": 8}
"""Bits of the ``needs`` column."""

FIELDS = (
    "image_id",
    "ref_id",
    "sent_id",
    "intersection",
    "union",
    "predicted",
    "target",
    "needs",
)
SplitCounts = dict[str, NDArray[np.int64]]


class Item(NamedTuple):
    """One expression to score; ``text`` differs from the expression's in a control."""

    place: int
    ref: Referent
    expression: Expression
    text: str


def items_of(refs: Sequence[Referent]) -> list[Item]:
    """Every expression of every ref, in order."""
    return [Item(i, ref, e, e.text) for i, ref in enumerate(refs) for e in ref.expressions]


def shuffled_among_images(items: Sequence[Item]) -> list[Item]:
    """The same items, each with the text of an expression from another image.

    A model that reads loses by it; one that only looks for likely targets does not.
    """
    n = len(items)
    shuffled = []
    for i, item in enumerate(items):
        others = ((i + n // 2 + k) % n for k in range(n))
        other = next((j for j in others if items[j].ref.image_id != item.ref.image_id), i)
        shuffled.append(item._replace(text=items[other].text))
    return shuffled


class Scorer:
    """Scores items of one split with a model.

    Args:
        dataset: where pixels and masks come from.
        refs: the refs that items point into.
        size: side of the model's input.
        batch: expressions of one forward pass.
        device: where the model is.
    """

    def __init__(
        self,
        dataset: ReferringDataset,
        refs: Sequence[Referent],
        *,
        size: int,
        batch: int,
        device: torch.device,
    ) -> None:
        self._dataset, self._batch, self._device = dataset, batch, device
        self._reader = SplitReader(dataset, refs, size=size)

    def score(
        self, model: Segmenter, items: Sequence[Item], *, on_batch: Callable[[int], None]
    ) -> SplitCounts:
        """Integer counts of every item, by field; the model is left in its mode.

        Args:
            model: the model.
            items: what to score.
            on_batch: told how many items are done.
        """
        was_training = model.training
        model.eval()
        rows: list[tuple[int, ...]] = []
        with torch.inference_mode():
            for group in _groups(items, self._batch):
                logits = self._predict(model, group)
                for item, logit in zip(group, logits, strict=True):
                    rows.append(_row(item, logit, self._dataset.mask(item.ref)))
                on_batch(len(rows))
        model.train(was_training)
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(FIELDS))
        return {name: table[:, i] for i, name in enumerate(FIELDS)}

    def _predict(self, model: Segmenter, group: Sequence[Item]) -> Float[Tensor, "b s s"]:
        tokens = model.tokenizer([item.text for item in group])
        image = normalise(self._reader.images([item.place for item in group]))
        logits: Tensor = model(
            torch.from_numpy(image).to(self._device),
            tokens.ids.to(self._device),
            tokens.mask.to(self._device),
        )
        return logits[:, 0].float().cpu()


def _groups(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _row(item: Item, logits: Float[Tensor, "s s"], target: Mask) -> tuple[int, ...]:
    resized = F.interpolate(
        logits[None, None], size=target.shape, mode="bilinear", align_corners=False
    )
    predicted = (resized[0, 0] > 0).numpy()
    return (
        item.ref.image_id,
        item.ref.ref_id,
        item.expression.sent_id,
        int(np.count_nonzero(predicted & target)),
        int(np.count_nonzero(predicted | target)),
        int(np.count_nonzero(predicted)),
        int(np.count_nonzero(target)),
        sum(NEEDS.get(need, 0) for need in item.expression.needs),
    )


def packed(splits: dict[str, SplitCounts]) -> bytes:
    """The counts of all splits as an npz: arrays ``<split>/<field>``."""
    stream = io.BytesIO()
    arrays = {f"{s}/{name}": a for s, counts in splits.items() for name, a in counts.items()}
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
