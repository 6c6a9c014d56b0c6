"""Predicts the masks of chosen expressions with trained weights, to be looked at (Figs. 6, 7)."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from remamber.datasets import Mask, ReferringDataset, open_dataset
from remamber.errors import ExitCode, UserError
from remamber.models import Segmenter
from remamber.models._evaluable import open_evaluable
from remamber.ops import resolve_backend
from remamber.plan.protocols import Protocol, find_protocol
from remamber.plan.spec import MasksSpec, RunSpec
from remamber.record.event import Event
from remamber.record.schema import NEEDS_BY, Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._arrays import packed_arrays
from remamber.tasks._device import device_name, peak_memory
from remamber.tasks._display_image import display_bytes
from remamber.tasks._expression_facts import ExpressionFacts, needs_by
from remamber.tasks._mask_prediction import predicted_logits
from remamber.tasks._planned_weights import planned_weights, weights_origin
from remamber.tasks._protocol_masks import Targets, open_targets, predicted_mask
from remamber.tasks._scan_share import has_scan
from remamber.tasks._scoring import FIELDS, Item, items_of

register = TASKS.register

Arrays = dict[str, NDArray[np.generic]]


@register("masks")
def masks(spec: RunSpec, context: TaskContext) -> Outcome:
    """Image, target and prediction of every chosen expression, compared by the first protocol.

    The arrays, by item i: ``image/i`` (content of an image file), ``shape/i`` (height and width
    of the masks), ``target/i`` and ``predicted/i`` (packed bits); by item in one array each:
    ``text``, and the columns of the counts.

    Raises:
        Stopped: asked to stop; a run of seconds begins anew.
        UserError: no expression was chosen, or weights or data cannot be read, are not the
            planned ones, or do not belong together.
    """
    started = time.perf_counter()
    device = Accelerator().device
    wish, protocol = _chosen(spec), find_protocol(spec.evaluate.protocol)
    dataset = open_dataset(spec.data, context.place)
    items, refs = _items(dataset, wish), dataset.refs(wish.split)
    found = planned_weights(spec, context)
    model = open_evaluable(found, root=context.place.root, backend=spec.scan_backend).to(device)
    targets = open_targets(spec.data, context.place, dataset=dataset, protocols=[protocol])
    looked = _Looked(spec, protocol, dataset, model, targets, ExpressionFacts(dataset, refs))
    arrays = _arrays(looked, items, context)
    peak, kind = peak_memory(device)
    return Outcome(
        measurements=(
            Measurement(metric="session_s", value=time.perf_counter() - started, unit="seconds"),
            Measurement(metric="peak_bytes", value=peak, unit="bytes", where={"kind": kind}),
        ),
        arrays=packed_arrays(arrays),
        data={
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            NEEDS_BY: needs_by(refs),
            **weights_origin(found),
        },
        device=device_name(device),
        scan_backend=resolve_backend(spec.scan_backend, device) if has_scan(model) else "none",
    )


class _Looked(NamedTuple):
    """What is looked at with what."""

    spec: RunSpec
    protocol: Protocol
    dataset: ReferringDataset
    model: Segmenter
    targets: Targets
    facts: ExpressionFacts


def _arrays(looked: _Looked, items: Sequence[Item], context: TaskContext) -> Arrays:
    arrays: Arrays = {"text": np.array([item.text for item in items], dtype=np.str_)}
    rows, batch = [], looked.spec.evaluate.batch
    for first in range(0, len(items), batch):
        if context.should_stop():
            raise Stopped(first)
        group = items[first : first + batch]
        for place, (item, mask) in enumerate(_predicted(looked, group), start=first):
            target = looked.targets.of(item.ref, looked.protocol)
            rows.append(_row(looked, item, predicted=mask, target=target))
            image = looked.dataset.image(item.ref.image_id)
            arrays |= {f"image/{place}": display_bytes(image)}
            arrays |= _packed(place, target=target, predicted=mask)
        _tell(looked.spec, context, done=first + len(group), total=len(items))
    return {**arrays, **dict(zip(FIELDS, np.array(rows, dtype=np.int64).T, strict=True))}


def _chosen(spec: RunSpec) -> MasksSpec:
    if spec.masks is None or not spec.masks.items:
        raise UserError(
            "the task 'masks' needs expressions and none were chosen",
            fix=["remamber-bench masks: it chooses them by what the trained rows scored"],
            slug="no_examples",
        )
    return spec.masks


def _items(dataset: ReferringDataset, wish: MasksSpec) -> list[Item]:
    """The chosen expressions as they stand in the data set."""
    of_split = {
        (item.ref.ref_id, item.expression.sent_id): item
        for item in items_of(dataset.refs(wish.split))
    }
    lost = [e for e in wish.items if (e.ref_id, e.sent_id) not in of_split]
    if lost:
        raise UserError(
            f"the split '{wish.split}' has no sentence {lost[0].sent_id} of ref {lost[0].ref_id}",
            where=[f"read from  {dataset.location}"],
            fix=["give the data on which the weights were scored, with --data-root"],
            exit_code=ExitCode.DAMAGED,
            slug="unknown_expression",
        )
    return [of_split[example.ref_id, example.sent_id] for example in wish.items]


def _predicted(looked: _Looked, items: Sequence[Item]) -> list[tuple[Item, Mask]]:
    """Every item with its mask, where the protocol compares."""
    images = [looked.dataset.image(item.ref.image_id) for item in items]
    logits = predicted_logits(
        looked.model,
        images,
        [item.text for item in items],
        size=looked.spec.data.image_size,
        protocol=looked.protocol,
    )
    shapes = [looked.targets.at_image_size(item.ref).shape for item in items]
    return [
        (item, predicted_mask(one, looked.protocol, shape=shape))
        for item, one, shape in zip(items, logits, shapes, strict=True)
    ]


def _row(looked: _Looked, item: Item, *, predicted: Mask, target: Mask) -> tuple[int, ...]:
    """The columns of the counts."""
    whole = looked.targets.at_image_size(item.ref)
    masks = (predicted & target, predicted | target, predicted, target)
    return (
        item.ref.image_id,
        item.ref.ref_id,
        item.expression.sent_id,
        *(int(np.count_nonzero(mask)) for mask in masks),
        whole.size,
        looked.model.tokenizer([item.text]).truncated,
        *looked.facts.of(item.ref, item.expression, whole),
    )


def _packed(place: int, *, target: Mask, predicted: Mask) -> Arrays:
    return {
        f"shape/{place}": np.array(target.shape, dtype=np.int64),
        f"target/{place}": np.packbits(target),
        f"predicted/{place}": np.packbits(predicted),
    }


def _tell(spec: RunSpec, context: TaskContext, *, done: int, total: int) -> None:
    what = spec.masks.split if spec.masks is not None else ""
    context.emit(Event(kind="evaluate", run_id=spec.run_id, what=what, done=done, total=total))
