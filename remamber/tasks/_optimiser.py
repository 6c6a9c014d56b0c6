"""AdamW with the release's four parameter groups, and the schedules of its learning rate."""

import math
import re
from typing import NamedTuple

from torch import nn
from torch.optim import AdamW

from remamber.models import Segmenter
from remamber.plan.spec import TrainSpec

_GROUPS = ("fusion", "decoder", "text", "backbone")
"""Parts of a model with other names belong to the fusion."""

_PRETRAINED = ("text", "backbone")
_IMAGE = ("fusion", "backbone")
_LAYER = re.compile(r"\.layers?\.(\d+)\.")
_POWER = 0.9


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

    Text and backbone, pretrained in the release, learn at ``lr_pretrained``. Parameters of
    fusion and backbone that ``spec.no_decay`` names are groups of their own. What is not trained
    of the text encoder, by ``spec.text_layers``, is in no group and gets no gradients.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    groups = []
    for name, parameters in _by_group(model).items():
        if name == "text":
            parameters = [p for p in parameters if _trained(p, names[id(p)], spec)]
        spared = [p for p in parameters if name in _IMAGE and _spared(names[id(p)], spec)]
        kept = {id(p) for p in parameters} - {id(p) for p in spared}
        decaying = [p for p in parameters if id(p) in kept]
        rate = spec.lr_pretrained if name in _PRETRAINED else spec.lr
        shared = {"lr": rate, "initial_lr": rate}
        groups += [
            {"params": decaying, "name": name, "weight_decay": spec.weight_decay, **shared},
            {"params": spared, "name": f"{name}, no decay", "weight_decay": 0.0, **shared},
        ]
    return AdamW(
        [group for group in groups if group["params"]], betas=(0.9, 0.999), eps=1e-8, fused=True
    )


def _by_group(model: Segmenter) -> dict[str, list[nn.Parameter]]:
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in _GROUPS}
    for part, modules in model.parts().items():
        own = groups[part if part in groups else "fusion"]
        own += [p for module in modules for p in module.parameters()]
    return groups


def _trained(parameter: nn.Parameter, name: str, spec: TrainSpec) -> bool:
    if spec.text_layers is None:
        return True
    layer = _LAYER.search(name)
    trained = layer is not None and int(layer[1]) < spec.text_layers
    parameter.requires_grad_(trained)
    return trained


def _spared(name: str, spec: TrainSpec) -> bool:
    return any(word in name for word in spec.no_decay)


def learning_rate(initial: float, *, spec: TrainSpec, length: Length, step: int) -> float:
    """The rate that a group uses at a step, counted from 0.

    ``cosine-step`` rises linearly over the warm-up and falls by a cosine to ``lr_min``.
    ``cosine-epoch`` is the release's: constant within an epoch and one epoch late, so that
    epochs 0 and 1 share the initial rate. ``poly`` is LAVT's: after the warm-up the power 0.9
    of the part that is left, down to 0.
    """
    if spec.schedule == "cosine-epoch":
        epochs = max(1, math.ceil(length.steps / length.steps_per_epoch))
        done = max(0, step // length.steps_per_epoch - 1) / epochs
    elif step < spec.warmup_steps:
        return initial * (step + 1) / spec.warmup_steps
    else:
        done = (step - spec.warmup_steps) / max(1, length.steps - spec.warmup_steps)
    if spec.schedule == "poly":
        return initial * float(max(0.0, 1 - done) ** _POWER)
    return spec.lr_min + (initial - spec.lr_min) * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimiser: AdamW, *, spec: TrainSpec, length: Length, step: int) -> float:
    """Set every group's rate for a step and return the fusion group's."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(group["initial_lr"], spec=spec, length=length, step=step)
    return float(optimiser.param_groups[0]["lr"])
