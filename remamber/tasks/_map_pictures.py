"""The maps of a few expressions, kept to be looked at: chosen by a rule, each word by itself."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from remamber.datasets import Mask, ReferringDataset
from remamber.errors import UserError
from remamber.models import Segmenter
from remamber.models._maps import TokenMaps
from remamber.plan.look import AttentionSpec
from remamber.tasks._display_image import display_bytes
from remamber.tasks._map_readings import by_word
from remamber.tasks._map_scores import Floats, cell_shares, densities, energy_inside
from remamber.tasks._scoring import Item

Arrays = dict[str, NDArray[Any]]


class Pictured(NamedTuple):
    """An expression and its target, bool ``h w`` at the image's size."""

    item: Item
    target: Mask


def chosen(items: Sequence[Item], areas: Floats, wish: AttentionSpec) -> list[Item]:
    """The expressions whose maps are kept.

    Those that ``wish`` names; else ``pictures`` of them, evenly spaced by the target's share of
    the image, no image twice. No model has a say in it, so that all show the same.

    Args:
        items: all of the split.
        areas: the target's share of the image, one an item; 0 is not shown.
        wish: what was asked.

    Raises:
        UserError: a sentence that the split does not have (exit 2).
    """
    if wish.shown:
        return _named(items, wish)
    ranked = [(float(a), item.expression.sent_id, i) for i, (a, item) in _with_target(items, areas)]
    order = [items[i] for _, _, i in sorted(ranked)]
    number = min(wish.pictures, len(order))
    found: list[Item] = []
    for k in range(number):
        middle = (2 * k + 1) * len(order) // (2 * number)
        seen = {item.ref.image_id for item in found}
        near = sorted(range(len(order)), key=lambda i: (abs(i - middle), i))
        found += next(([order[i]] for i in near if order[i].ref.image_id not in seen), [])
    return found


def _with_target(items: Sequence[Item], areas: Floats) -> list[tuple[int, tuple[float, Item]]]:
    pairs = enumerate(zip(areas.tolist(), items, strict=True))
    return [(i, pair) for i, pair in pairs if pair[0] > 0]


def _named(items: Sequence[Item], wish: AttentionSpec) -> list[Item]:
    by_id = {item.expression.sent_id: item for item in items}
    lost = [sent_id for sent_id in wish.shown if sent_id not in by_id]
    if lost:
        raise UserError(
            f"the split '{wish.split}' has no sentence {lost[0]}",
            where=[f"its first  {', '.join(map(str, list(by_id)[:5]))}, ... ({len(by_id):,})"],
            fix=["leave --shown out: expressions are then chosen by the area of their targets"],
            slug="unknown_expression",
        )
    return [by_id[sent_id] for sent_id in wish.shown]


def picture(
    number: int,
    pictured: Pictured,
    maps: Mapping[str, TokenMaps],
    *,
    model: Segmenter,
    dataset: ReferringDataset,
) -> Arrays:
    """The arrays of one expression, under ``shown/<number>/``.

    They are ``image`` (content of an image file), ``shape`` and ``target`` (packed bits), ``text``,
    ``ids`` (image, ref, sentence), ``words`` (of which the first is all tokens), and for each place
    ``density/<place>`` (words by rows by columns, 1 where a map is as if evenly spread) and
    ``energy/<place>`` (inside the target, of each word).

    Args:
        number: of the picture.
        pictured: the expression.
        maps: by place, of this expression alone.
        model: whose tokenizer made the tokens.
        dataset: where the image is from.
    """
    item, target = pictured
    words = by_word(model.tokenizer, item.text)
    found: Arrays = {
        "image": display_bytes(dataset.image(item.ref.image_id)),
        "shape": np.array(target.shape, dtype=np.int64),
        "target": np.packbits(target),
        "text": np.array(item.text, dtype=np.str_),
        "ids": np.array(
            [item.ref.image_id, item.ref.ref_id, item.expression.sent_id], dtype=np.int64
        ),
        "words": np.array(words.names, dtype=np.str_),
    }
    for place, token_maps in maps.items():
        read = [token_maps.mean(row[None].to(token_maps.maps.device)) for row in words.tokens]
        of_words = torch.cat(read).double().cpu().numpy()
        shares = cell_shares(target, of_words.shape[1:])
        found[f"density/{place}"] = densities(of_words).astype(np.float32)
        energies = energy_inside(of_words, np.broadcast_to(shares, of_words.shape))
        found[f"energy/{place}"] = energies.astype(np.float32)
    return {f"shown/{number}/{name}": array for name, array in found.items()}
