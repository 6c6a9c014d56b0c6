"""Times the cpu scan against the step-by-step one, forward and backward.

The step-by-step scan is timed twice: as every project has it, a loop with autograd recording each
step (once), and as our reference, the same loop with a written backward.

A script, not a test: ``python tests/ops/bench_scan.py [--threads 4] [--only tiny]`` prints a
Markdown table. The two are interleaved, so that another load on the machine meets both alike;
times are medians, the ratio is the median of the rounds' ratios.
"""

import argparse
import platform
import statistics
import time

import numba
import torch
from scan_cases import scan_arguments

from remamber.ops import describe_backends, reference, selective_scan
from remamber.ops._contract import ScanInputs

SHAPES = {
    "training 1": (16, 256, 1024, 1, 4),
    "training 2": (16, 512, 256, 1, 4),
    "training 3": (16, 1024, 64, 1, 4),
    "training 4": (16, 2048, 16, 1, 4),
    "tiny 1": (32, 64, 256, 1, 4),
    "tiny 2": (32, 128, 64, 1, 4),
    "tiny 3": (32, 256, 16, 1, 4),
    "tiny 4": (32, 512, 4, 1, 4),
    "tiny channel 1": (32, 128, 96, 1, 4),
    "tiny channel 2": (32, 128, 192, 1, 4),
    "tiny channel 3": (32, 128, 384, 1, 4),
    "tiny channel 4": (32, 128, 768, 1, 4),
    "mamba": (1, 1536, 512, 16, 1),
}


def step(leaves, dy, backend):
    start = time.perf_counter()
    y = selective_scan(**leaves, delta_softplus=True, backend=backend)
    torch.autograd.grad(y, list(leaves.values()), dy)
    return time.perf_counter() - start


def step_under_autograd(leaves, dy):
    start = time.perf_counter()
    y, _ = reference.forward(ScanInputs(**leaves, delta_softplus=True))
    torch.autograd.grad(y, list(leaves.values()), dy)
    return time.perf_counter() - start


def row(name, shape, rounds):
    values = scan_arguments(*shape, dtype=torch.float32)
    leaves = {n: v.requires_grad_() for n, v in values.items()}
    dy = torch.randn(shape[:3])
    for _ in range(3):
        step(leaves, dy, "cpu")
    times = []
    for _ in range(rounds):
        slow = step(leaves, dy, "reference")
        times.append((slow, statistics.median(step(leaves, dy, "cpu") for _ in range(5))))
    slow, fast = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    loop = step_under_autograd(leaves, dy) * 1e3
    return (
        f"| {name} | {shape} | {loop:.0f} | {slow:.1f} | {fast:.2f} | {loop / fast:.0f} |"
        f" {ratio:.0f} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="shapes whose name holds this")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{platform.machine()}, {options.threads} threads, torch {torch.__version__}, ", end="")
    print(f"numba {numba.__version__}, float32; {describe_backends()[0].detail}\n")
    print(
        "| shape | (b, d, l, n, g) | loop, ms | reference, ms | cpu, ms | by loop | by reference |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, shape in ((n, s) for n, s in SHAPES.items() if options.only in n):
        print(row(name, shape, options.rounds), flush=True)


if __name__ == "__main__":
    main()
