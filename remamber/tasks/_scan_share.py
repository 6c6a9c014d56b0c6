"""The share of a training step that the selective scans take."""

import copy

import torch
from torch.profiler import ProfilerActivity, profile

from remamber.models import Segmenter
from remamber.tasks._batches import Batch
from remamber.tasks._loss import segmentation_loss

_SCAN = "remamber::selective_scan"


def scan_share(model: Segmenter, batch: Batch) -> float:
    """Time inside the scan operators over time of forward and backward, a fraction.

    A copy of the model takes the steps, so that its BatchNorm statistics stay as they are.
    On an accelerator the kernels' own time is compared, on a CPU the operators' wall time.
    """
    model = copy.deepcopy(model).train()
    on_gpu = batch.image.is_cuda
    _step(model, batch)
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities if on_gpu else activities[:1]) as profiler:
        _step(model, batch)
    events = profiler.key_averages()
    if on_gpu:
        scans = sum(e.device_time_total for e in events if e.key.startswith(_SCAN))
        total = sum(e.self_device_time_total for e in events)
    else:
        scans = sum(e.self_cpu_time_total for e in events if e.key.startswith(_SCAN))
        total = sum(e.self_cpu_time_total for e in events)
    return scans / total if total else 0.0


def _step(model: Segmenter, batch: Batch) -> None:
    model.zero_grad(set_to_none=True)
    loss = segmentation_loss(model(batch.image, batch.ids, batch.mask), batch.target)
    torch.autograd.backward(loss)
