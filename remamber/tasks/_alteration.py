"""How the model and the expressions of an evaluation are disturbed, and what that changed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from remamber.models import Segmenter
from remamber.models._knock_out import knocked_out
from remamber.plan.spec import RunSpec
from remamber.record.schema import Measurement
from remamber.tasks._altered_text import altered, vocabulary_of
from remamber.tasks._reading import PaddedReader, Reader, read_plainly
from remamber.tasks._scoring import Item, ProtocolCounts


class Alteration(NamedTuple):
    """What is scored in the place of the plain model and the plain expressions.

    Attributes:
        model: the model, some scans of which may be silenced.
        items: of each split, with altered expressions.
        reader: how the model is shown them.
        plain: the undisturbed model, if masks are compared with its own.
        facts: shares of each split's expressions that were altered, and that have no word left.
    """

    model: Segmenter
    items: Mapping[str, Sequence[Item]]
    reader: Reader
    plain: Segmenter | None
    facts: dict[str, str | int | float]


def alteration(spec: RunSpec, model: Segmenter, items: Mapping[str, Sequence[Item]]) -> Alteration:
    """What the spec asks for; nothing is altered if it does not.

    Args:
        spec: of the evaluation.
        model: with its weights, on its device; is left as it is.
        items: of each split.

    Raises:
        UserError: the model has no such scans to silence.
    """
    asked = spec.evaluate
    made = {split: altered(own, asked.text, seed=spec.seed) for split, own in items.items()}
    facts: dict[str, str | int | float] = {}
    if asked.text != "as-is":
        for split, found in made.items():
            facts[f"{split} altered"] = found.changed / max(1, len(found.items))
            facts[f"{split} emptied"] = found.emptied / max(1, len(found.items))
    reader: Reader = read_plainly
    if asked.padding != "as-is":
        texts = [item.text for own in items.values() for item in own]
        reader = PaddedReader(asked.padding, words=vocabulary_of(texts), seed=spec.seed)
        facts |= {f"{split} altered": _padded(model, own) for split, own in items.items()}
    silenced = model
    if asked.knock_out:
        silenced = knocked_out(model, asked.knock_out, place=asked.knock_out_in)
    return Alteration(
        model=silenced,
        items={split: found.items for split, found in made.items()},
        reader=reader,
        plain=model if asked.count_changed else None,
        facts=facts,
    )


def _padded(model: Segmenter, items: Sequence[Item]) -> float:
    """Share of the expressions that have padding at all."""
    mask = model.tokenizer([item.text for item in items]).mask
    return float((~mask).any(1).float().mean()) if len(items) else 0.0


def changes(splits: Mapping[str, ProtocolCounts]) -> list[Measurement]:
    """How far the scored masks are from the undisturbed model's, where that was counted.

    Returns:
        For every split and its first protocol: ``changed_masks``, the share of expressions whose
        mask differs at all; ``changed_pixels``, the share of the images' pixels that differ; and
        ``mask_agreement``, the mean IoU of the two masks, 1 where both are empty.
    """
    found = []
    for split, by_protocol in splits.items():
        counts = next(iter(by_protocol.values()))
        if "changed" not in counts or not len(counts["changed"]):
            continue
        changed = counts["changed"]
        either = (counts["plain"] + counts["predicted"] + changed) // 2
        values = {
            "changed_masks": float(np.mean(changed > 0)),
            "changed_pixels": float(changed.sum() / counts["image_pixels"].sum()),
            "mask_agreement": float(np.mean(1 - changed / np.maximum(either, 1))),
        }
        found += [
            Measurement(metric=metric, value=value, unit="fraction", where={"split": split})
            for metric, value in values.items()
        ]
    return found
