"""Where a trained model sees the words: its interaction or attention maps by depth (Fig. 4)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator

from remamber.datasets import ReferringDataset, open_dataset
from remamber.datasets._decode_crew import crew_for
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import normalise
from remamber.models import Segmenter
from remamber.models._evaluable import Evaluable, open_evaluable
from remamber.models._initial import open_initial
from remamber.models._maps import MapPlace, TokenMaps, map_places, watching_maps
from remamber.ops import resolve_backend
from remamber.plan.look import AttentionSpec
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._arrays import packed_arrays
from remamber.tasks._device import device_name, peak_memory
from remamber.tasks._map_pictures import Arrays, Pictured, chosen, picture
from remamber.tasks._map_readings import READINGS
from remamber.tasks._map_split import Measured, Truth, measured
from remamber.tasks._planned_weights import planned_weights, weights_origin
from remamber.tasks._scan_share import has_scan
from remamber.tasks._scoring import Item, items_of

register = TASKS.register


class _Setting(NamedTuple):
    """What is looked at with what."""

    spec: RunSpec
    context: TaskContext
    dataset: ReferringDataset
    model: Segmenter
    reader: SplitReader


@register("attention")
def attention(spec: RunSpec, context: TaskContext) -> Outcome:
    """Score the maps of every expression of a split against its target, and keep a few maps.

    The arrays, one entry an expression: ``image_id``, ``ref_id``, ``sent_id``, ``area`` (the
    target's share of the image), ``among_area`` (of all objects), and for each place
    ``energy/<place>`` (by reading), ``pointing/<place>``, ``rank/<place>``, ``among/<place>``,
    ``best/<place>``: see ``_map_split``. ``places`` and ``stages`` name the places, ``readings``
    the readings; ``_map_pictures`` says what is kept of the maps that are shown.

    Raises:
        Stopped: asked to stop; a run of minutes begins anew.
        UserError: the model has no maps, or weights or data cannot be read, are not the planned
            ones, or do not belong together.
    """
    started = time.perf_counter()
    device = Accelerator().device
    wish = spec.attention or AttentionSpec()
    dataset = open_dataset(spec.data, context.place)
    refs = dataset.refs(wish.split)
    items = _sampled(items_of(refs), wish.limit)
    found = planned_weights(spec, context)
    model = _open(spec, found, context, trained=wish.trained).to(device)
    places = map_places(model)
    crew = crew_for(dataset, refs, place=context.place)
    try:
        reader = SplitReader(dataset, refs, size=spec.data.image_size, crew=crew)
        setting = _Setting(spec, context, dataset, model, reader)
        arrays, unknown = _measure(setting, items, places)
        shown = chosen(items, arrays["area"], wish)
        arrays |= _pictures(setting, shown, places)
    finally:
        crew.close()
    peak, kind = peak_memory(device)
    return Outcome(
        measurements=(
            *_means(arrays, places),
            Measurement(metric="session_s", value=time.perf_counter() - started, unit="seconds"),
            Measurement(metric="peak_bytes", value=peak, unit="bytes", where={"kind": kind}),
        ),
        arrays=packed_arrays(arrays),
        data={**_read(dataset, items, wish), **weights_origin(found)},
        device=device_name(device),
        scan_backend=resolve_backend(spec.scan_backend, device) if has_scan(model) else "none",
        warnings=tuple(_warnings(arrays, places, unknown=unknown, shown=len(shown), wish=wish)),
    )


def _read(
    dataset: ReferringDataset, items: Sequence[Item], wish: AttentionSpec
) -> dict[str, str | int | float]:
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        f"{wish.split} expressions": len(items),
        f"{wish.split} images": len({item.ref.image_id for item in items}),
    }


def _sampled(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most that many expressions, evenly spaced."""
    number = min(limit or len(items), len(items))
    return [items[i * len(items) // number] for i in range(number)]


def _open(spec: RunSpec, found: Evaluable, context: TaskContext, *, trained: bool) -> Segmenter:
    root = context.place.root
    if trained:
        return open_evaluable(found, root=root, backend=spec.scan_backend)
    return open_initial(found, seed=spec.seed, root=root, backend=spec.scan_backend)


def _measure(
    setting: _Setting, items: Sequence[Item], places: Sequence[MapPlace]
) -> tuple[Arrays, int]:
    """The scores of all expressions, and how many have only words that the model does not know."""
    parts: list[Measured] = []
    unknown = 0
    for group, maps, truths in _passes(setting, items, places, what="maps"):
        parts.append(measured(setting.model, group, maps, truths))
        unknown += _only_unknown(setting.model, group)
    scores = parts[0].by_place[places[0].name]
    arrays: Arrays = {
        "image_id": np.array([item.ref.image_id for item in items], dtype=np.int64),
        "ref_id": np.array([item.ref.ref_id for item in items], dtype=np.int64),
        "sent_id": np.array([item.expression.sent_id for item in items], dtype=np.int64),
        "area": np.concatenate([part.area for part in parts]),
        "among_area": np.concatenate([part.among_area for part in parts]),
        "places": np.array([place.name for place in places], dtype=np.str_),
        "stages": np.array([place.stage for place in places], dtype=np.int64),
        "readings": np.array(READINGS, dtype=np.str_),
    }
    for place in places:
        for score in scores:
            values = np.concatenate([part.by_place[place.name][score] for part in parts])
            arrays[f"{score}/{place.name}"] = values.astype(np.float32)
    return arrays, unknown


def _pictures(setting: _Setting, shown: Sequence[Item], places: Sequence[MapPlace]) -> Arrays:
    found: Arrays = {}
    for number, item in enumerate(shown):
        for _, maps, truths in _passes(setting, [item], places, what="pictures"):
            found |= picture(
                number,
                Pictured(item, truths[0].target),
                maps,
                model=setting.model,
                dataset=setting.dataset,
            )
    return found


def _passes(
    setting: _Setting, items: Sequence[Item], places: Sequence[MapPlace], *, what: str
) -> Iterator[tuple[Sequence[Item], Mapping[str, TokenMaps], list[Truth]]]:
    """Run the model over items batch by batch: each batch, its maps and its targets."""
    spec, model = setting.spec, setting.model
    batch, device = spec.evaluate.batch, next(model.parameters()).device
    groups = [items[i : i + batch] for i in range(0, len(items), batch)]
    images = setting.reader.stream([[item.place for item in group] for group in groups])
    done = 0
    with watching_maps(model, places) as take:
        for group, pixels in zip(groups, images, strict=True):
            if setting.context.should_stop():
                raise Stopped(done)
            tokens = model.tokenizer([item.text for item in group])
            shown = torch.from_numpy(normalise(pixels)).to(device)
            with torch.inference_mode():
                model(shown, tokens.ids.to(device), tokens.mask.to(device))
                yield group, take(), _truths(setting.dataset, group)
            done += len(group)
            setting.context.emit(
                Event(kind="evaluate", run_id=spec.run_id, what=what, done=done, total=len(items))
            )


def _truths(dataset: ReferringDataset, group: Sequence[Item]) -> list[Truth]:
    refs = {item.ref.ref_id: item.ref for item in group}
    objects = {ref.image_id: dataset.all_objects(ref.image_id) for ref in refs.values()}
    targets = {ref_id: dataset.mask(ref) for ref_id, ref in refs.items()}
    made = {i: Truth(mask, objects[refs[i].image_id] | mask) for i, mask in targets.items()}
    return [made[item.ref.ref_id] for item in group]


def _only_unknown(model: Segmenter, group: Sequence[Item]) -> int:
    """How many expressions have words, none of which the tokenizer knows."""
    if not model.tokenizer([item.text for item in group]).unknown:
        return 0
    each = [model.tokenizer([item.text]) for item in group]
    return sum(0 < one.words == one.unknown for one in each)


def _means(arrays: Arrays, places: Sequence[MapPlace]) -> list[Measurement]:
    """Mean over the expressions with a target and a map, by place."""
    has_target = arrays["area"] > 0
    found = []
    for place in places:
        energy = arrays[f"energy/{place.name}"][:, 0]
        known = has_target & np.isfinite(energy)
        named = {
            "target_energy": energy,
            "target_area": arrays["area"],
            "among_area": arrays["among_area"],
            **{s: arrays[f"{s}/{place.name}"] for s in ("pointing", "rank", "among", "best")},
        }
        found += [
            Measurement(
                metric=name,
                value=float(np.nanmean(values[known].astype(np.float64))),
                unit="fraction",
                where={"place": place.name},
            )
            for name, values in named.items()
            if np.isfinite(values[known]).any()
        ]
    return found


def _warnings(
    arrays: Arrays, places: Sequence[MapPlace], *, unknown: int, shown: int, wish: AttentionSpec
) -> Iterator[str]:
    empty = int(np.count_nonzero(arrays["area"] == 0))
    if empty:
        yield f"{empty:,} expressions have an empty target and are left out"
    lost = int(np.count_nonzero(np.isnan(arrays[f"energy/{places[0].name}"][:, 0])))
    if lost:
        yield f"{lost:,} expressions have no token, only padding, and no map: they are left out"
    if unknown:
        yield f"of {unknown:,} expressions the weights know no word"
    if len(set(arrays["image_id"].tolist())) == 1:
        yield "all expressions are of one image: there are no intervals"
    if not wish.shown and shown < wish.pictures:
        yield f"there are only {shown} images to show"
    if wish.limit is not None and len(arrays["area"]) == wish.limit:
        yield f"a quick look: {wish.limit:,} expressions of the split were measured"
