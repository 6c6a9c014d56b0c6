"""AdamW with the release's four parameter groups, and its cosine schedules."""

import math
from typing import NamedTuple

from torch.optim import AdamW

from remamber.models import Segmenter
from remamber.plan.spec import TrainSpec

_GROUPS = {
    "fusion": ("interaction", "fusion"),
    "decoder": ("decoder",),
    "text": ("text",),
    "backbone": ("backbone",),
}
_PRETRAINED = ("text", "backbone")


class Length(NamedTuple):
    """How long a run trains: all steps, and the steps of one pass over the refs."""

    steps: int
    steps_per_epoch: int


def length_of(spec: TrainSpec, refs: int) -> Length:
    """Steps in all and per epoch; an epoch shows every ref once, the incomplete batch dropped."""
    per_epoch = max(1, refs // spec.batch)
    return Length(spec.steps or (spec.epochs or 1) * per_epoch, per_epoch)


def make_optimiser(model: Segmenter, spec: TrainSpec) -> AdamW:
    """AdamW over fusion, decoder, text and backbone; weight decay on everything (the release).

    Text and backbone, pretrained in the release, learn at ``lr_pretrained``.
    """
    parts = model.parts()
    groups = [
        {
            "params": [p for part in names for m in parts.get(part, []) for p in m.parameters()],
            "lr": spec.lr_pretrained if group in _PRETRAINED else spec.lr,
            "name": group,
        }
        for group, names in _GROUPS.items()
    ]
    for group in groups:
        group["initial_lr"] = group["lr"]
    return AdamW(
        [group for group in groups if group["params"]],
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=spec.weight_decay,
        fused=True,
    )


def learning_rate(initial: float, *, spec: TrainSpec, length: Length, step: int) -> float:
    """The rate that a group uses at a step, counted from 0.

    ``cosine-step`` rises linearly over the warm-up and falls by a cosine to ``lr_min``.
    ``cosine-epoch`` is the release's: constant within an epoch and one epoch late, so that
    epochs 0 and 1 share the initial rate.
    """
    if spec.schedule == "cosine-epoch":
        epochs = max(1, math.ceil(length.steps / length.steps_per_epoch))
        done = max(0, step // length.steps_per_epoch - 1) / epochs
    elif step < spec.warmup_steps:
        return initial * (step + 1) / spec.warmup_steps
    else:
        done = (step - spec.warmup_steps) / max(1, length.steps - spec.warmup_steps)
    return spec.lr_min + (initial - spec.lr_min) * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimiser: AdamW, *, spec: TrainSpec, length: Length, step: int) -> float:
    """Set every group's rate for a step and return the fusion group's."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(group["initial_lr"], spec=spec, length=length, step=step)
    return float(optimiser.param_groups[0]["lr"])
