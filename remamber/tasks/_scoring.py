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
from remamber.tasks._expression_facts import ExpressionFacts, Facts, cut_short
from remamber.tasks._letterbox import letterboxed
from remamber.tasks._protocol_masks import Targets, predicted_mask
from remamber.tasks._reading import Reader, read_plainly

FIELDS = (
    "image_id",
    "ref_id",
    "sent_id",
    "intersection",
    "union",
    "predicted",
    "target",
    "image_pixels",
    "truncated",
    *Facts._fields,
)
"""The columns of the counts: ids, pixels (of the protocol's own size), whether the tokenizer cut
the expression, and what ``Facts`` says."""

NOT_RECORDED = -1
"""In the counts of an evaluation that was begun before a column was there."""
CHANGE_FIELDS = ("plain", "changed")
"""Pixels of the undisturbed model's mask, and pixels in which the scored mask differs from it."""

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
        reader: how the model is shown the texts.
        plain: the undisturbed model; its masks of the expressions' own texts are compared with
            those that are scored, in ``CHANGE_FIELDS``.
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
        reader: Reader = read_plainly,
        plain: Segmenter | None = None,
    ) -> None:
        self._dataset, self._targets, self._protocols = dataset, targets, tuple(protocols)
        self._size, self._batch, self._device = size, batch, device
        self._images = SplitReader(dataset, refs, size=size, crew=crew)
        self._reader, self._plain = reader, plain
        self._fields = FIELDS if plain is None else (*FIELDS, *CHANGE_FIELDS)
        self._facts = ExpressionFacts(dataset, refs)

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
        images = self._images.stream(places) if stretched else iter([None] * len(groups))
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
        texts = [item.text for item in group]
        tokens = model.tokenizer(texts)
        cut = cut_short(model.tokenizer, texts, tokens)
        shown = {}
        if stretched is not None:
            shown["stretch"] = self._pixels(stretched)
        if any(protocol.fit == "letterbox" for protocol in self._protocols):
            shown["letterbox"] = self._pixels(self._letterboxed(group))
        logits = {f: _flat(self._reader(model, x, tokens, group)) for f, x in shown.items()}
        plain = {f: self._undisturbed(x, group) for f, x in shown.items()}
        rows: dict[str, list[tuple[int, ...]]] = {p.name: [] for p in self._protocols}
        for i, item in enumerate(group):
            whole = self._targets.at_image_size(item.ref)
            facts = self._facts.of(item.ref, item.expression, whole)
            for protocol in self._protocols:
                if _is_scored(item, protocol):
                    mask = predicted_mask(logits[protocol.fit][i], protocol, shape=whole.shape)
                    target = self._targets.of(item.ref, protocol)
                    usual = plain[protocol.fit]
                    more = () if usual is None else _change(mask, usual[i], protocol)
                    row = (*_row(item, mask, target), int(cut[i]), *facts, *more)
                    rows[protocol.name].append(row)
        return self._table(rows)

    def _table(self, rows: Mapping[str, list[tuple[int, ...]]]) -> ProtocolCounts:
        found = {}
        for protocol in self._protocols:
            own = rows.get(protocol.name, [])
            table = np.array(own, dtype=np.int64).reshape(len(own), len(self._fields))
            found[protocol.name] = {name: table[:, i] for i, name in enumerate(self._fields)}
        return found

    def _letterboxed(self, group: Sequence[Item]) -> NDArray[np.uint8]:
        made = {
            image_id: letterboxed(self._dataset.image(image_id), self._size)
            for image_id in dict.fromkeys(item.ref.image_id for item in group)
        }
        return np.stack([made[item.ref.image_id] for item in group])

    def _pixels(self, pixels: NDArray[np.uint8]) -> Float[Tensor, "b 3 s s"]:
        return torch.from_numpy(normalise(pixels)).to(self._device)

    def _undisturbed(
        self, pixels: Float[Tensor, "b 3 s s"], group: Sequence[Item]
    ) -> Float[Tensor, "b s s"] | None:
        """What the undisturbed model makes of the expressions' own texts, if it is asked."""
        if self._plain is None:
            return None
        tokens = self._plain.tokenizer([item.expression.text for item in group])
        return _flat(read_plainly(self._plain, pixels, tokens, group))


def _flat(logits: Float[Tensor, "b 1 s s"]) -> Float[Tensor, "b s s"]:
    return logits[:, 0].float().cpu()


def joined(parts: Sequence[ProtocolCounts]) -> ProtocolCounts:
    """Counts that were made one after another, as one."""
    return {
        protocol: {
            name: np.concatenate([_column(part[protocol], name) for part in parts])
            for name in dict.fromkeys((*FIELDS, *parts[-1][protocol]))
        }
        for protocol in parts[0]
    }


def _column(counts: SplitCounts, name: str) -> NDArray[np.int64]:
    return counts[name] if name in counts else np.full_like(counts["target"], NOT_RECORDED)


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
        target.size,
    )


def _change(mask: Mask, plain: Float[Tensor, "s s"], protocol: Protocol) -> tuple[int, ...]:
    usual = predicted_mask(plain, protocol, shape=mask.shape)
    return int(np.count_nonzero(usual)), int(np.count_nonzero(mask != usual))


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
