"""Everything that one training step touches, built from a spec, and the step itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from accelerate import Accelerator

from remamber.datasets import ReferringDataset, open_dataset
from remamber.datasets._decode_crew import DecodeCrew, crew_for
from remamber.models import ModelInputs, Segmenter, build_model
from remamber.ops import resolve_backend
from remamber.plan.spec import RunSpec, TrainSpec
from remamber.tasks import TaskContext
from remamber.tasks._batches import Batch, TrainingBatches
from remamber.tasks._loss import LOSSES
from remamber.tasks._optimiser import Length, length_of, make_optimiser

_PRECISION = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


class Bench(NamedTuple):
    """Everything that a training step touches."""

    spec: RunSpec
    train: TrainSpec
    dataset: ReferringDataset
    model: Segmenter
    optimiser: torch.optim.AdamW
    accelerator: Accelerator
    batches: TrainingBatches
    crew: DecodeCrew
    length: Length
    backend: str


def set_up(spec: RunSpec, context: TaskContext) -> Bench:
    """Open the data and build model, optimiser and batches; deterministic given the spec.

    Raises:
        UserError: the data cannot be read, or they are not what the spec was made for.
    """
    settings = spec.train or TrainSpec(steps=1)
    torch.manual_seed(spec.seed)
    accelerator = Accelerator(mixed_precision=_PRECISION[settings.precision])
    dataset = open_dataset(spec.data, context.place)
    refs = dataset.refs(spec.data.train_split)
    texts = [e.text for ref in refs for e in ref.expressions]
    backend = resolve_backend(spec.scan_backend, accelerator.device)
    inputs = ModelInputs(
        texts=texts, backend=spec.scan_backend, seed=spec.seed, root=context.place.root
    )
    model = build_model(spec.model, inputs)
    length = length_of(settings, len(refs))
    crew = crew_for(dataset, refs, place=context.place)
    batches = TrainingBatches(
        dataset,
        refs,
        size=spec.data.image_size,
        batch=settings.batch,
        tokenizer=model.tokenizer,
        length=length,
        seed=spec.seed,
        crew=crew,
    )
    model.to(accelerator.device)
    optimiser = make_optimiser(model, settings)
    return Bench(
        spec, settings, dataset, model, optimiser, accelerator, batches, crew, length, backend
    )


@contextmanager
def open_bench(spec: RunSpec, context: TaskContext) -> Iterator[Bench]:
    """A bench whose decoding processes end with the block, whatever ends it.

    Raises:
        UserError: the data cannot be read, or they are not what the spec was made for.
    """
    bench = set_up(spec, context)
    try:
        yield bench
    finally:
        bench.crew.close()
        bench.batches.close()


def precision_of(bench: Bench) -> str:
    """What the steps are computed in: the spec's precision, fp32 where the device has no other."""
    return bench.train.precision if bench.accelerator.native_amp else "fp32"


def train_step(bench: Bench, batch: Batch) -> float:
    """One step on a batch; returns the loss before it."""
    bench.model.train()
    with bench.accelerator.autocast():
        logits = bench.model(batch.image, batch.ids, batch.mask)
    loss = LOSSES[bench.train.loss](logits, batch.target)
    bench.optimiser.zero_grad(set_to_none=True)
    bench.accelerator.backward(loss)
    _update(bench)
    return loss.item()


def _update(bench: Bench) -> None:
    """Let the optimiser step; under fp16 by unscaled gradients, and not by infinite ones."""
    scaler = bench.accelerator.scaler
    if scaler is not None:
        scaler.unscale_(bench.optimiser)
    if bench.train.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(bench.model.parameters(), bench.train.clip_norm)
    if scaler is None:
        bench.optimiser.step()
    else:
        scaler.step(bench.optimiser)
        scaler.update()
