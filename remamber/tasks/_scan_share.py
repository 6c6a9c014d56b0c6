"""Whether a model scans, and the share of a training step that its selective scans take."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.profiler import ProfilerActivity, profile

from remamber.layers.mamba_channel_scan import MambaBlock
from remamber.layers.ssm import SelectiveSSM
from remamber.models import Segmenter
from remamber.tasks._batches import Batch
from remamber.tasks._loss import segmentation_loss

_SCANS = ("remamber::selective_scan", "remamber::directional_scan")
Autocast = Callable[[], AbstractContextManager[None]]


def has_scan(model: Segmenter) -> bool:
    """Whether any of a model's layers calls a scan implementation; LAVT's, for one, do not."""
    return any(isinstance(layer, (SelectiveSSM, MambaBlock)) for layer in model.modules())


def scan_share(model: Segmenter, batch: Batch, *, autocast: Autocast = nullcontext) -> float:
    """Time inside the scan operators over time of forward and backward, a fraction.

    A copy of the model takes the steps, so that its BatchNorm statistics stay as they are.
    On an accelerator the kernels' own time is compared, on a CPU the operators' wall time.
    Mamba-2's scan is matrix products like those around it and does not count.

    Args:
        model: the model.
        batch: what it is stepped on.
        autocast: makes the context of the forward pass, that of the training.
    """
    model = copy.deepcopy(model).train()
    on_gpu = batch.image.is_cuda
    _step(model, batch, autocast)
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities if on_gpu else activities[:1]) as profiler:
        _step(model, batch, autocast)
    events = profiler.key_averages()
    if on_gpu:
        scans = sum(e.device_time_total for e in events if e.key.startswith(_SCANS))
        total = sum(e.self_device_time_total for e in events)
    else:
        scans = sum(e.self_cpu_time_total for e in events if e.key.startswith(_SCANS))
        total = sum(e.self_cpu_time_total for e in events)
    return scans / total if total else 0.0


def _step(model: Segmenter, batch: Batch, autocast: Autocast) -> None:
    model.zero_grad(set_to_none=True)
    with autocast():
        logits = model(batch.image, batch.ids, batch.mask)
    loss = segmentation_loss(logits, batch.target)
    torch.autograd.backward(loss)
