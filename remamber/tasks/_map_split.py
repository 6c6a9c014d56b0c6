"""Measures the maps of every expression of a split, batch by batch, and keeps only the scores."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from remamber.datasets import Mask
from remamber.models import Segmenter
from remamber.models._maps import TokenMaps
from remamber.tasks._map_readings import READINGS, by_kind
from remamber.tasks._map_scores import Floats, cell_shares, energy_inside, scored
from remamber.tasks._scoring import Item


class Measured(NamedTuple):
    """Of each expression of a batch.

    Attributes:
        area: the target's share of the image.
        among_area: its share of the area of all objects; NaN where there is no other object.
        by_place: place -> score -> array; ``energy`` is ``n readings``, the others ``n``.
            ``among`` is the target's share of the energy inside all objects.
    """

    area: Floats
    among_area: Floats
    by_place: Mapping[str, Mapping[str, Floats]]


class Truth(NamedTuple):
    """What the data say of an expression: its target, and all objects of its image, ``h w``."""

    target: Mask
    objects: Mask


def measured(
    model: Segmenter, items: Sequence[Item], maps: Mapping[str, TokenMaps], truths: Sequence[Truth]
) -> Measured:
    """Score the maps of a batch against the targets.

    Args:
        model: whose tokenizer made the tokens.
        items: the batch.
        maps: by place.
        truths: one an item.
    """
    readings = by_kind(model.tokenizer, [item.text for item in items])
    of_item = _distinct(items)
    shares: dict[tuple[int, int], _Shares] = {}
    found = {}
    for place, token_maps in maps.items():
        grid = (token_maps.maps.shape[2], token_maps.maps.shape[3])
        if grid not in shares:
            shares[grid] = _shares(truths, of_item, grid)
        found[place] = _at_place(token_maps, readings, shares[grid])
    area = _areas([truth.target for truth in truths])
    return Measured(area, _among(area, _areas([truth.objects for truth in truths])), found)


class _Shares(NamedTuple):
    """Of each cell's area, what the target and what any object covers: ``n h w``."""

    target: Floats
    objects: Floats


def _areas(masks: Sequence[Mask]) -> Floats:
    return np.array([mask.mean() if mask.size else 0.0 for mask in masks], dtype=np.float64)


def _among(of_target: Floats, of_objects: Floats) -> Floats:
    """The ratio; NaN where the target is the only object, or nothing lies inside any."""
    others = of_objects - of_target > 1e-9
    return np.divide(of_target, of_objects, out=np.full_like(of_target, np.nan), where=others)


def _distinct(items: Sequence[Item]) -> list[int]:
    """Of each item the first with the same target."""
    first: dict[int, int] = {}
    return [first.setdefault(item.ref.ref_id, i) for i, item in enumerate(items)]


def _shares(truths: Sequence[Truth], of_item: Sequence[int], grid: tuple[int, int]) -> _Shares:
    made = {i: [cell_shares(mask, grid) for mask in truths[i]] for i in set(of_item)}
    target, objects = (np.stack([made[i][k] for i in of_item]) for k in (0, 1))
    return _Shares(target, objects)


def _at_place(maps: TokenMaps, readings: torch.Tensor, shares: _Shares) -> dict[str, Floats]:
    """The scores; NaN where an expression has no token of a reading."""
    wanted = readings.to(maps.maps.device)
    there = ((wanted * maps.mask.unsqueeze(1)).sum(2) > 0).cpu().numpy()
    read = [maps.mean(wanted[:, k]).double().cpu().numpy() for k in range(len(READINGS))]
    whole = scored(read[0], shares.target)
    energies = np.stack([energy_inside(one, shares.target) for one in read], axis=1)
    of_whole = {
        "pointing": whole.pointing,
        "rank": whole.rank,
        "among": _among(whole.energy, energy_inside(read[0], shares.objects)),
        "best": whole.best,
    }
    return {
        "energy": np.where(there, energies, np.nan),
        **{name: np.where(there[:, 0], values, np.nan) for name, values in of_whole.items()},
    }
