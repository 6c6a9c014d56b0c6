"""What ``gpu_check`` measures: errors, bandwidth, times, memory, tiles, and the machine."""

import functools
import importlib
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from directional_cases import directional_arguments
from scan_cases import relative_error, scan_arguments

from remamber.ops import FOUR_WAYS, directional_scan, selective_scan
from remamber.ops._directional_composed import composed_backward, composed_forward
from remamber.ops._directional_contract import DirectionalInputs
from remamber.ops.backends import load_backend

_CLOCKS = "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit"


def machine(device):
    """The device, its clocks as found, and the versions."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "device": device}
    triton = sys.modules.get("triton")
    found |= {"triton": getattr(triton, "__version__", "none"), "cuda": str(torch.version.cuda)}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "name": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "clocks": clocks(),
        }
    return found


def clocks():
    query = ["nvidia-smi", f"--query-gpu={_CLOCKS},temperature.gpu", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return repr(error)
    return dict(zip([*_CLOCKS.split(","), "temperature"], answer.split(", "), strict=False))


def milliseconds(run, *, device, seconds=0.25, most=50):
    """Median, least and most of as many calls as fit, each timed by itself after a warm-up."""
    for _ in range(3 if device == "cuda" else 1):
        run()
    if device == "cpu":
        return _summary([_host_time(run) for _ in range(2)])
    torch.cuda.synchronize()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or (len(times) < most and time.perf_counter() < end):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return _summary(times)


def _host_time(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def _summary(times):
    return {"ms": statistics.median(times), "least": min(times), "most": max(times)}


def bandwidth(device):
    """Bytes a second that a large copy reads and writes."""
    count = 2**28 if device == "cuda" else 2**22
    source = torch.randn(count, device=device)
    target = torch.empty_like(source)
    found = milliseconds(lambda: target.copy_(source), device=device)
    return 8 * count / found["ms"] * 1e3


def peak_bytes(run, device):
    """What a call takes beyond what was there, or None on the CPU."""
    if device == "cpu":
        return None
    run()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def sequence_pass(sizes, step, backend, *, device, dtype):
    """A function that scans sequences of these sizes (b, d, l, n, g) forward, or both ways."""
    values = scan_arguments(*sizes, dtype=torch.float32)
    return _pass(values, step, device, dtype, lambda v: selective_scan(**v, **_how(backend)))


def image_pass(sizes, step, backend, *, device, dtype):
    """The same of images of sizes (b, k, h, w, d, n), in SS2D's directions."""
    values = image_values(sizes)
    ways = FOUR_WAYS[: sizes[1]]
    return _pass(
        values,
        step,
        device,
        dtype,
        lambda v: directional_scan(**v, **_how(backend), directions=ways),
    )


def image_values(sizes):
    values = directional_arguments(*sizes, dtype=torch.float32)
    values["delta"] = values["delta"].transpose(0, 1).contiguous().transpose(0, 1)
    return values


def parts_pass(sizes, step, form, *, device, dtype):
    """SS2D fused, or from its parts: cross scan, selective scan, cross merge.

    Without the operator around it, which the composed form has none of.
    """
    values = _moved(image_values(sizes), device, dtype)
    inputs = DirectionalInputs(*values.values(), True, FOUR_WAYS[: sizes[1]])
    module = load_backend("triton")
    forward, backward = module.directional_forward, module.directional_backward
    if form == "composed":
        forward = functools.partial(composed_forward, module)
        backward = functools.partial(composed_backward, module)
    dy = torch.randn(values["u"].shape, device=device)

    def run():
        with torch.no_grad():
            y, states = forward(inputs)
            return [y] if step == "forward" else [y, *backward(inputs, states=states, dy=dy)]

    return run


def _how(backend):
    return {"delta_softplus": True, "backend": backend}


def _moved(values, device, dtype):
    low = ("u", "delta", "B", "C")
    rest = torch.promote_types(dtype, torch.float32)
    return {n: v.to(device, dtype if n in low else rest) for n, v in values.items()}


def _pass(values, step, device, dtype, scan):
    leaves = _moved(values, device, dtype)
    if step == "forward":

        def forward():
            with torch.no_grad():
                return [scan(leaves)]

        return forward
    leaves = {name: value.requires_grad_() for name, value in leaves.items()}
    dy = torch.randn(values["u"].shape, generator=torch.Generator().manual_seed(1)).to(device)

    def both():
        y = scan(leaves)
        return [y.detach(), *torch.autograd.grad(y, list(leaves.values()), dy.to(y.dtype))]

    return both


def errors(make, sizes, backend, *, device):
    """The largest relative error of y and of the gradients, against the reference in float64."""
    double = make(sizes, "both", "reference", device=device, dtype=torch.float64)
    single = make(sizes, "both", backend, device=device, dtype=torch.float32)
    pairs = [relative_error(f, e) for f, e in zip(single(), double(), strict=True)]
    return {"values": pairs[0], "gradients": max(pairs[1:])}


def build_mamba(path, folder):
    """Start installing mamba-ssm from a wheel or its sources, with its CUDA kernel."""
    environment = os.environ | {
        "MAMBA_KEEP_CUDA_BUILD": "TRUE",
        "MAMBA_FORCE_BUILD": "TRUE",
        "MAX_JOBS": str(max(1, (os.cpu_count() or 1) - 2)),
    }
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(folder / "site"), str(path)]
    sys.path.insert(0, str(folder / "site"))
    log = Path(folder / "mamba-ssm.log").open("w")  # noqa: SIM115  (the child writes it)
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def await_build(building, seconds):
    """Wait for it; what became of it, in words."""
    try:
        code = building.wait(timeout=max(1, seconds))
    except subprocess.TimeoutExpired:
        building.kill()
        return "not built: the time was over"
    importlib.invalidate_caches()
    return "built" if code == 0 else "not built: see mamba-ssm.log"
