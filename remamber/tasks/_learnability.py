"""Whether a data set can be learned: a few samples by heart, and by reading better than blindly."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch

from remamber.plan.spec import DataSpec, EvaluateSpec, FusionSpec, ModelSpec, RunSpec, TrainSpec
from remamber.record.event import Event
from remamber.tasks import TaskContext, find_task
from remamber.tasks._batches import Batch, TrainingBatches
from remamber.tasks._bench import Bench, open_bench, train_step
from remamber.tasks._optimiser import length_of, set_learning_rate

SAMPLES, OVERFIT_STEPS, READING_STEPS = 32, 300, 560
"""How many samples are learned by heart in at most so many steps; steps of the second gate."""

_CHECKED_EVERY = 25
_ENOUGH = 0.9
_MODEL = ModelSpec(size="tiny", fusion=FusionSpec(depth=1))

OnStep = Callable[[str, int, int], None]


class Reading(NamedTuple):
    """Mean IoU with each expression's own text, and with that of an expression elsewhere."""

    own: float
    shuffled: float

    @property
    def ratio(self) -> float:
        """How many times better it is to read."""
        return self.own / self.shuffled if self.shuffled else float("inf")


def overfit(data: DataSpec, context: TaskContext, *, on_step: OnStep) -> float:
    """Mean IoU on so many samples of the training split that a tiny model sees again and again.

    Args:
        data: the data set and the resolution.
        context: where data are; nothing is kept.
        on_step: told of progress.

    Raises:
        UserError: the data cannot be read.
    """
    train = TrainSpec(
        steps=OVERFIT_STEPS, batch=SAMPLES, lr=1e-3, lr_pretrained=1e-3, warmup_steps=10
    )
    reached = 0.0
    with open_bench(RunSpec(model=_MODEL, data=data, train=train), context) as bench:
        batch = _samples(bench).to(bench.accelerator.device)
        for step in range(OVERFIT_STEPS):
            set_learning_rate(bench.optimiser, spec=train, length=bench.length, step=step)
            train_step(bench, batch)
            on_step("learning a few by heart", step + 1, OVERFIT_STEPS)
            if (step + 1) % _CHECKED_EVERY == 0:
                reached = _mean_iou(bench, batch)
                if reached >= _ENOUGH:
                    break
    return reached


def read(data: DataSpec, context: TaskContext, *, on_step: OnStep) -> Reading:
    """Train a tiny model for a few minutes and score it with and without the right expression.

    Args:
        data: the data set, the resolution, and as its only split the one to score.
        context: where data are; the run is not kept.
        on_step: told of progress.

    Raises:
        UserError: the data cannot be read.
    """
    train = TrainSpec(
        steps=READING_STEPS,
        batch=32,
        lr=1e-3,
        lr_pretrained=1e-3,
        lr_min=1e-5,
        weight_decay=1e-2,
        warmup_steps=30,
    )
    spec = RunSpec(model=_MODEL, data=data, train=train, evaluate=EvaluateSpec(shuffled_text=True))

    def hear(event: Event) -> None:
        if event.kind in ("step", "evaluate"):
            on_step(event.what or "learning to read", event.done, event.total)

    outcome = find_task("train")(spec, replace(context, emit=hear))
    found = {
        m.where.get("control", ""): m.value for m in outcome.measurements if m.metric == "mIoU"
    }
    return Reading(found[""], found["shuffled-text"])


def _samples(bench: Bench) -> Batch:
    """The first refs of the training split that have a target, with one expression each."""
    refs = [ref for ref in bench.dataset.refs(bench.spec.data.train_split) if ref.ann_ids]
    first = [replace(ref, expressions=ref.expressions[:1]) for ref in refs[:SAMPLES]]
    batches = TrainingBatches(
        bench.dataset,
        first,
        size=bench.spec.data.image_size,
        batch=len(first),
        tokenizer=bench.model.tokenizer,
        length=length_of(bench.train.model_copy(update={"batch": len(first)}), len(first)),
        seed=0,
    )
    return batches.at(0)


def _mean_iou(bench: Bench, batch: Batch) -> float:
    bench.model.eval()
    with torch.inference_mode():
        predicted = bench.model(batch.image, batch.ids, batch.mask) > 0
    target = batch.target > 0
    both = (predicted & target).sum(dim=(1, 2, 3))
    either = (predicted | target).sum(dim=(1, 2, 3)).clamp(min=1)
    return float((both / either).mean())
