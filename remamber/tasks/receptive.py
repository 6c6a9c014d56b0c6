"""Measures how far a model's features see, by the gradients of the middle ones by the image.

The effective receptive field of Luo et al. 2016. The middle is the two by two (of an odd side one)
positions around the image's centre, in each stage's fused map and in the logits. Over all of
their channels the squared gradients add up: a sum with random signs has that as its expected
square, so one backward pass a map gives it.
"""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float
from torch import Tensor, nn

from remamber.datasets import ReferringDataset, open_dataset
from remamber.datasets._transforms import normalise, resize_image
from remamber.errors import UserError
from remamber.models import Segmenter
from remamber.models._evaluable import Evaluable, open_evaluable
from remamber.models._initial import open_initial
from remamber.models._released_segmenter import ReleasedSegmenter
from remamber.ops import resolve_backend
from remamber.plan.spec import ReceptiveSpec, RunSpec
from remamber.record.event import Event
from remamber.record.schema import Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._arrays import packed_arrays
from remamber.tasks._device import device_name, peak_memory
from remamber.tasks._gradient_energy import REGIONS, EnergySums, Geometry
from remamber.tasks._planned_weights import planned_weights, weights_origin
from remamber.tasks._scan_share import has_scan
from remamber.tasks._scoring import Item, items_of

register = TASKS.register
LOGITS = "logits"
_BATCH, _CELLS, _PATCH = 8, 32, 4
_MARGIN = 2
"""Cells around the middle that convolutions see well: each looks one further. What is beyond came
for the most part by a scan, by an earlier stage or, in the logits, by the decoder."""


class Middle(NamedTuple):
    """Squared gradients by the pixels of a batch of images, and the block that they are of.

    Attributes:
        name: ``stage 1`` and so on, or ``logits``.
        energy: summed over the image's channels, (b, side, side).
        block: side in pixels of the block that the middle positions cover.
        cell: side in pixels of one position.
    """

    name: str
    energy: Float[Tensor, "b s s"]
    block: int
    cell: int


@register("receptive")
def receptive(spec: RunSpec, context: TaskContext) -> Outcome:
    """Energy of the gradients by distance and direction, image by image.

    The arrays: ``image_id``; by name of a map ``rings/stage 1`` (images, rings of a pixel),
    ``regions/stage 1`` (images, ``REGIONS``) and ``map/stage 1`` (the mean energy in 32 by 32
    cells). Every image's energy is scaled to a total of 1.

    Raises:
        Stopped: asked to stop; a run of seconds begins anew.
        UserError: weights or data cannot be read or are not the planned ones.
    """
    started = time.perf_counter()
    device = Accelerator().device
    wish = spec.receptive or ReceptiveSpec()
    dataset = open_dataset(spec.data, context.place)
    items = one_of_each_image(items_of(dataset.refs(wish.split)), wish.samples)
    found = planned_weights(spec, context)
    model = _opened(found, spec, context, trained=wish.trained).to(device)
    parts: dict[str, list[EnergySums]] = {}
    for first in range(0, len(items), _BATCH):
        if context.should_stop():
            raise Stopped(first)
        group = items[first : first + _BATCH]
        pixels = _pixels(dataset, group, spec.data.image_size).to(device)
        for middle in middles(model, pixels, [item.text for item in group], seed=spec.seed + first):
            shape = _geometry(spec.data.image_size, middle)
            parts.setdefault(middle.name, []).append(shape.sums(middle.energy.cpu().numpy()))
        _tell(spec, context, wish, done=first + len(group), total=len(items))
    sums = {name: _joined(of_map) for name, of_map in parts.items()}
    images = np.array([item.ref.image_id for item in items], dtype=np.int64)
    peak, kind = peak_memory(device)
    return Outcome(
        measurements=(
            *_outside(sums),
            Measurement(metric="session_s", value=time.perf_counter() - started, unit="seconds"),
            Measurement(metric="peak_bytes", value=peak, unit="bytes", where={"kind": kind}),
        ),
        arrays=packed_arrays({"image_id": images, **_arrays(sums)}),
        data={
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            f"{wish.split} images": len(items),
            **weights_origin(found),
        },
        device=device_name(device),
        scan_backend=resolve_backend(spec.scan_backend, device) if has_scan(model) else "none",
        warnings=_flat(sums),
    )


def _joined(parts: Sequence[EnergySums]) -> EnergySums:
    """The sums of several batches as one."""
    return EnergySums(*map(np.concatenate, zip(*parts, strict=True)))


def _opened(found: Evaluable, spec: RunSpec, context: TaskContext, *, trained: bool) -> Segmenter:
    """The trained model, or as its training began; no gradients of its parameters are kept."""
    root, backend = context.place.root, spec.scan_backend
    if trained:
        return open_evaluable(found, root=root, backend=backend).requires_grad_(False)
    return open_initial(found, seed=spec.seed, root=root, backend=backend).requires_grad_(False)


def _geometry(side: int, middle: Middle) -> Geometry:
    return Geometry(side, block=middle.block, margin=_MARGIN * middle.cell, cells=_CELLS)


def one_of_each_image(items: Sequence[Item], most: int) -> list[Item]:
    """The first expression of each image, at most so many, evenly spaced."""
    first = list({item.ref.image_id: item for item in reversed(items)}.values())[::-1]
    if most >= len(first):
        return first
    return [first[i * len(first) // most] for i in range(most)]


def middles(
    model: Segmenter, pixels: Float[Tensor, "b 3 s s"], texts: Sequence[str], *, seed: int
) -> Iterator[Middle]:
    """Squared gradients of the middle of every stage's map and of the logits, one after another.

    Args:
        model: in evaluation mode; gradients of its parameters are not wanted.
        pixels: normalised images.
        texts: an expression for each.
        seed: of the random signs.
    """
    tokens = model.tokenizer(texts)
    with torch.no_grad():
        text = model.encode_text(tokens.ids.to(pixels.device), tokens.mask.to(pixels.device))
    image = pixels.detach().clone().requires_grad_()
    features: list[Tensor] = []
    hook = _encoder(model).register_forward_hook(lambda *seen: features.extend(seen[2]))
    try:
        logits = model.segment(image, text)
    finally:
        hook.remove()
    side, generator = image.shape[-1], torch.Generator().manual_seed(seed)
    for name, values in [*((f"stage {i}", x) for i, x in enumerate(features, 1)), (LOGITS, logits)]:
        middle = _middle(values)
        signs = torch.randint(0, 2, middle.shape, generator=generator) * 2 - 1
        total = (middle * signs.to(middle)).sum()
        (gradient,) = torch.autograd.grad(total, image, retain_graph=values is not logits)
        # The logits are drawn from maps at the patches' stride.
        cell = max(side // values.shape[-1], _PATCH)
        block = middle.shape[-1] * cell
        yield Middle(name, gradient.float().square().sum(1), block, cell)


def _middle(values: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c m n"]:
    """The positions around the centre: two by two, one where a side is odd."""
    rows, columns = (slice((n - 1) // 2, n // 2 + 1) for n in values.shape[2:])
    return values[:, :, rows, columns]


def _encoder(model: Segmenter) -> nn.Module:
    if isinstance(model, ReleasedSegmenter):
        return model.vision.encoder
    encoder = getattr(model, "encoder", None)
    if isinstance(encoder, nn.Module):
        return encoder
    raise UserError(
        f"the model '{model.spec.name}' has no encoder whose stages could be looked at",
        fix=["--only, with the rows of the models 'remamber' and 'lavt'"],
        slug="no_stages",
    )


def _pixels(
    dataset: ReferringDataset, items: Sequence[Item], size: int
) -> Float[Tensor, "b 3 s s"]:
    images = [resize_image(dataset.image(item.ref.image_id), size) for item in items]
    return torch.from_numpy(normalise(np.stack(images)))


def _arrays(
    sums: dict[str, EnergySums],
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    found = {}
    for name, of_map in sums.items():
        found[f"rings/{name}"] = of_map.rings.astype(np.float32)
        found[f"regions/{name}"] = of_map.regions.astype(np.float32)
        found[f"map/{name}"] = of_map.maps.mean(axis=0).astype(np.float32)
    return found


def _outside(sums: dict[str, EnergySums]) -> list[Measurement]:
    place = REGIONS.index("outside")
    return [
        Measurement(
            metric="energy_outside",
            value=float(of_map.regions[:, place].mean()),
            unit="fraction",
            where={"tap": name},
        )
        for name, of_map in sums.items()
    ]


def _flat(sums: dict[str, EnergySums]) -> tuple[str, ...]:
    """A warning for images whose gradient is nothing."""
    none = {name: int((of_map.rings.sum(1) == 0).sum()) for name, of_map in sums.items()}
    return tuple(
        f"{name}: {count} images have no gradient at all and count as nothing"
        for name, count in none.items()
        if count
    )


def _tell(
    spec: RunSpec, context: TaskContext, wish: ReceptiveSpec, *, done: int, total: int
) -> None:
    context.emit(
        Event(kind="evaluate", run_id=spec.run_id, what=wish.split, done=done, total=total)
    )
