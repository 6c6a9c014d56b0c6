"""What the machine itself can do, measured beside the kernels: copies, products, and its noise."""

import time

import torch

from remamber.tasks._interleaving import Call, Stopwatch

COPY_BYTES = 256 * 2**20
"""Of one of the two tensors of a copy: far beyond any cache."""
_COPIES, _PRODUCTS = 7, 5
_SIDE = 2048


def make_stopwatch(device: torch.device) -> Stopwatch:
    """The clock of a device: CUDA events around a block on a GPU, wall time elsewhere."""
    return _by_events if device.type == "cuda" else _by_wall


def copy_samples(device: torch.device, stopwatch: Stopwatch) -> list[float]:
    """Bytes a second of a large copy, read plus written; the destination's pages exist already."""
    source = torch.ones(COPY_BYTES // 4, device=device)
    target = torch.ones_like(source)
    target.copy_(source)
    return [2 * COPY_BYTES / stopwatch(lambda: target.copy_(source), 1) for _ in range(_COPIES)]


def product_samples(device: torch.device, stopwatch: Stopwatch) -> list[float]:
    """Operations a second of a float32 matrix product, 2 side^3, without TF32."""
    left = torch.ones(_SIDE, _SIDE, device=device)
    right, out = torch.ones_like(left), torch.empty_like(left)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        torch.mm(left, right, out=out)
        taken = [stopwatch(lambda: torch.mm(left, right, out=out), 1) for _ in range(_PRODUCTS)]
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return [2 * _SIDE**3 / seconds for seconds in taken]


def _by_wall(call: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start


def _by_events(call: Call, calls: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in "ab")  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1000
