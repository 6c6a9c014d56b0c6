"""Scores every expression of a split: integer intersection and union with the target.

One forward pass serves all protocols that show the model the same picture; what each of them
makes of the logits is in ``_protocol_masks``.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from remamber.datasets import Expression, Mask, Referent, ReferringDataset
from remamber.datasets._decode_crew import DecodeCrew
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import normalise
from remamber.models import Segmenter
from remamber.plan.protocols import Protocol
from remamber.record.schema import counts_place
from remamber.tasks._letterbox import letterboxed
from remamber.tasks._protocol_masks import Targets, predicted_mask

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
ProtocolCounts = dict[str, SplitCounts]
"""By the name of the protocol."""


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
    """Scores items of one split with a model, by one or several protocols.

    Args:
        dataset: where pixels come from.
        refs: the refs that items point into.
        targets: where masks come from.
        protocols: how to compare.
        size: side of the model's input.
        batch: expressions of one forward pass.
        device: where the model is.
        crew: decodes images ahead; None decodes each when it is needed.
    """

    def __init__(
        self,
        dataset: ReferringDataset,
        refs: Sequence[Referent],
        *,
        targets: Targets,
        protocols: Sequence[Protocol],
        size: int,
        batch: int,
        device: torch.device,
        crew: DecodeCrew | None = None,
    ) -> None:
        self._dataset, self._targets, self._protocols = dataset, targets, tuple(protocols)
        self._size, self._batch, self._device = size, batch, device
        self._reader = SplitReader(dataset, refs, size=size, crew=crew)

    def score(
        self, model: Segmenter, items: Sequence[Item], *, on_batch: Callable[[int], None]
    ) -> ProtocolCounts:
        """Integer counts of every item, by protocol and field; the model is left in its mode.

        Args:
            model: the model.
            items: what to score.
            on_batch: told how many items are done.
        """
        parts, done = [self.nothing()], 0
        for group, part in self.batches(model, items):
            parts.append(part)
            done += len(group)
            on_batch(done)
        return joined(parts)

    def batches(
        self, model: Segmenter, items: Sequence[Item]
    ) -> Iterator[tuple[Sequence[Item], ProtocolCounts]]:
        """The same batch by batch, each with its items; the model is left in its mode after each.

        Raises:
            UserError: an image or an annotation cannot be read, or they are of different sizes.
        """
        groups = [items[i : i + self._batch] for i in range(0, len(items), self._batch)]
        stretched = any(protocol.fit == "stretch" for protocol in self._protocols)
        places = [[item.place for item in group] for group in groups]
        images = self._reader.stream(places) if stretched else iter([None] * len(groups))
        for group, pixels in zip(groups, images, strict=True):
            was_training = model.training
            model.eval()
            with torch.inference_mode():
                counted = self._count(model, group, pixels)
            model.train(was_training)
            yield group, counted

    def nothing(self) -> ProtocolCounts:
        """The counts of no item."""
        return self._table({})

    def _count(
        self, model: Segmenter, group: Sequence[Item], stretched: NDArray[np.uint8] | None
    ) -> ProtocolCounts:
        logits = {}
        if stretched is not None:
            logits["stretch"] = self._predict(model, group, stretched)
        if any(protocol.fit == "letterbox" for protocol in self._protocols):
            logits["letterbox"] = self._predict(model, group, self._letterboxed(group))
        rows: dict[str, list[tuple[int, ...]]] = {p.name: [] for p in self._protocols}
        for i, item in enumerate(group):
            shape = self._targets.at_image_size(item.ref).shape
            for protocol in self._protocols:
                if _is_scored(item, protocol):
                    mask = predicted_mask(logits[protocol.fit][i], protocol, shape=shape)
                    rows[protocol.name].append(
                        _row(item, mask, self._targets.of(item.ref, protocol))
                    )
        return self._table(rows)

    def _table(self, rows: Mapping[str, list[tuple[int, ...]]]) -> ProtocolCounts:
        found = {}
        for protocol in self._protocols:
            own = rows.get(protocol.name, [])
            table = np.array(own, dtype=np.int64).reshape(len(own), len(FIELDS))
            found[protocol.name] = {name: table[:, i] for i, name in enumerate(FIELDS)}
        return found

    def _letterboxed(self, group: Sequence[Item]) -> NDArray[np.uint8]:
        made = {
            image_id: letterboxed(self._dataset.image(image_id), self._size)
            for image_id in dict.fromkeys(item.ref.image_id for item in group)
        }
        return np.stack([made[item.ref.image_id] for item in group])

    def _predict(
        self, model: Segmenter, group: Sequence[Item], pixels: NDArray[np.uint8]
    ) -> Float[Tensor, "b s s"]:
        tokens = model.tokenizer([item.text for item in group])
        logits: Tensor = model(
            torch.from_numpy(normalise(pixels)).to(self._device),
            tokens.ids.to(self._device),
            tokens.mask.to(self._device),
        )
        return logits[:, 0].float().cpu()


def joined(parts: Sequence[ProtocolCounts]) -> ProtocolCounts:
    """Counts that were made one after another, as one."""
    return {
        protocol: {
            name: np.concatenate([part[protocol][name] for part in parts]) for name in FIELDS
        }
        for protocol in parts[0]
    }


def _is_scored(item: Item, protocol: Protocol) -> bool:
    expressions = item.ref.expressions
    chosen = {"first": expressions[0], "last": expressions[-1], "every": item.expression}
    return item.expression.sent_id == chosen[protocol.expressions].sent_id


def _row(item: Item, predicted: Mask, target: Mask) -> tuple[int, ...]:
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


def packed(splits: Mapping[str, ProtocolCounts]) -> bytes:
    """The counts of all splits as an npz: ``<split>/<field>``, ``<split>@<protocol>/<field>``.

    The first protocol's arrays carry no name, as when there was only one.
    """
    arrays = {
        f"{counts_place(split, protocol, first=next(iter(counts)))}/{name}": array
        for split, counts in splits.items()
        for protocol, own in counts.items()
        for name, array in own.items()
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
