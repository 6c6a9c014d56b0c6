"""Features at taps and their principal components: what Fig. 5 shows, and numbers beside it."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from accelerate import Accelerator
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from remamber.datasets import open_dataset
from remamber.datasets._decode_crew import crew_for
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import normalise
from remamber.models import Segmenter
from remamber.models._evaluable import Evaluable, open_evaluable
from remamber.models._initial import open_initial
from remamber.models._taps import ModelTap, chosen_taps, watching
from remamber.ops import resolve_backend
from remamber.plan.look import DistributionSpec
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._arrays import packed_arrays
from remamber.tasks._device import device_name, peak_memory
from remamber.tasks._distribution_numbers import resampled_images
from remamber.tasks._distribution_panels import Found, Images, panels
from remamber.tasks._distribution_points import Collector, Sampled, means_every
from remamber.tasks._planned_weights import planned_weights, weights_origin
from remamber.tasks._scan_share import has_scan
from remamber.tasks._scoring import Item, items_of

register = TASKS.register


@register("distribution")
def distribution(spec: RunSpec, context: TaskContext) -> Outcome:
    """Read some expressions, keep points at every tap, find their axes and compare their groups.

    The arrays are those of ``_distribution_panels.panels``.

    Raises:
        Stopped: asked to stop; a run of seconds begins anew.
        UserError: an unknown tap, or weights or data cannot be read, are not the planned ones,
            or do not belong together.
    """
    started = time.perf_counter()
    device = Accelerator().device
    wish = spec.distribution or DistributionSpec()
    dataset = open_dataset(spec.data, context.place)
    refs = dataset.refs(wish.split)
    sample = _sampled(items_of(refs), wish.samples)
    found = planned_weights(spec, context)
    model = _open(spec, found, context, trained=wish.trained).to(device)
    chosen = chosen_taps(model, wish.taps)
    collector = Collector(wish, total=len(sample.items), seed=spec.seed)
    crew = crew_for(dataset, refs, place=context.place)
    try:
        reader = SplitReader(dataset, refs, size=spec.data.image_size, crew=crew)
        with watching(model, chosen.taps) as take:
            for first, group in _passes(spec, context, sample, reader=reader, model=model):
                collector.add(sample.of_batch[first : first + len(group)], take())
    finally:
        crew.close()
    told = _told(spec, chosen.taps, collector, sample)
    peak, kind = peak_memory(device)
    return Outcome(
        measurements=(
            *told.measurements,
            Measurement(metric="session_s", value=time.perf_counter() - started, unit="seconds"),
            Measurement(metric="peak_bytes", value=peak, unit="bytes", where={"kind": kind}),
        ),
        arrays=packed_arrays(told.arrays),
        data={
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            f"{wish.split} expressions": len(sample.items),
            f"{wish.split} images": sample.images,
            **weights_origin(found),
        },
        device=device_name(device),
        scan_backend=resolve_backend(spec.scan_backend, device) if has_scan(model) else "none",
        warnings=(*_warnings(sample, chosen.lacking), *told.notes),
    )


def _told(
    spec: RunSpec, taps: Sequence[ModelTap], collector: Collector, sample: "_Sample"
) -> Found:
    """Axes and numbers of what was kept."""
    wish = spec.distribution or DistributionSpec()
    # On one thread the digits do not depend on the cores, and threads of linear algebra that
    # wait for each other take minutes on a machine that others use too.
    with threadpool_limits(limits=1):
        return panels(
            taps,
            collector.finished(),
            images=_images(sample, seed=spec.seed),
            joint=wish.basis == "joint",
            seed=spec.seed,
        )


class _Sample(NamedTuple):
    """The expressions that are looked at, and how many images they are about."""

    items: Sequence[Item]
    of_batch: Sequence[Sampled]
    images: int


def _sampled(items: Sequence[Item], samples: int) -> _Sample:
    """At most so many expressions, evenly spaced over the split."""
    number = min(samples, len(items))
    kept = [items[i * len(items) // number] for i in range(number)]
    images = dict.fromkeys(item.ref.image_id for item in kept)
    places = {image_id: place for place, image_id in enumerate(images)}
    of_batch = [
        Sampled(number, item.expression.sent_id, places[item.ref.image_id])
        for number, item in enumerate(kept)
    ]
    return _Sample(kept, of_batch, len(images))


def _open(spec: RunSpec, found: Evaluable, context: TaskContext, *, trained: bool) -> Segmenter:
    root = context.place.root
    if trained:
        return open_evaluable(found, root=root, backend=spec.scan_backend)
    return open_initial(found, seed=spec.seed, root=root, backend=spec.scan_backend)


def _passes(
    spec: RunSpec,
    context: TaskContext,
    sample: _Sample,
    *,
    reader: SplitReader,
    model: Segmenter,
) -> Iterator[tuple[int, Sequence[Item]]]:
    """Run the model over the sample batch by batch: the first item's number, and the items."""
    batch, device = spec.evaluate.batch, next(model.parameters()).device
    starts = range(0, len(sample.items), batch)
    groups = [sample.items[start : start + batch] for start in starts]
    places = [[item.place for item in group] for group in groups]
    for start, group, pixels in zip(starts, groups, reader.stream(places), strict=True):
        if context.should_stop():
            raise Stopped(start)
        tokens = model.tokenizer([item.text for item in group])
        image = torch.from_numpy(normalise(pixels)).to(device)
        with torch.inference_mode():
            model(image, tokens.ids.to(device), tokens.mask.to(device))
        yield start, group
        context.emit(
            Event(
                kind="evaluate",
                run_id=spec.run_id,
                what="features",
                done=start + len(group),
                total=len(sample.items),
            )
        )


def _images(sample: _Sample, *, seed: int) -> Images:
    every = means_every(len(sample.items))
    of_means = [s.image for s in sample.of_batch if s.number % every == 0]
    return Images(of_means, resampled_images(sample.images, seed=seed))


def _warnings(sample: _Sample, lacking: Sequence[str]) -> list[str]:
    found = [f"this model has no tap '{phrase}'" for phrase in lacking]
    if sample.images == 1:
        found.append(
            "all expressions are of one image: there are no intervals, and no other image on"
            " which a probe could be tested"
        )
    return found
