"""Times the fused directional scan against the selective scan with explicit lay-out and merge.

Two rivals on the cpu backend, both with autograd:

- ``unfused``: what a channels-first model does. The image ``b d h w`` is laid out along four
  directions, scanned, merged; delta, B and C are given in the order of the sequences, for free.
- ``composed``: the same arguments as the fused op, so delta is laid out as well.

A script, not a test: ``python tests/ops/bench_directional.py [--threads 4] [--only s1] [--json]``.
The three are interleaved; times are minima, ratios medians of the rounds'. "both" is a forward
pass with all gradients. Memory is the peak of what torch allocates, results included; the
kernels' own scratch, under 1 MiB a thread, is not in it.
"""

import argparse
import json
import platform
import statistics
import time

import torch
from directional_cases import NAMES, directional_arguments
from torch.profiler import ProfilerActivity, profile

from remamber.ops import FOUR_WAYS, TWO_WAYS, describe_backends, directional_scan, selective_scan
from remamber.ops._directional_composed import composed_backward, composed_forward
from remamber.ops._directional_contract import DirectionalInputs
from remamber.ops.backends import load_backend

# b, h, w, d and the directions: the layers of the base model at 256 and 480, of a small one at 128
SHAPES = {
    "s1_256": (1, 64, 64, 256, FOUR_WAYS),
    "s2_256": (1, 32, 32, 512, FOUR_WAYS),
    "s3_256": (1, 16, 16, 1024, FOUR_WAYS),
    "s4_256": (1, 8, 8, 2048, FOUR_WAYS),
    "s1_480": (1, 120, 120, 256, FOUR_WAYS),
    "s2_480": (1, 60, 60, 512, FOUR_WAYS),
    "s3_480": (1, 30, 30, 1024, FOUR_WAYS),
    "s4_480": (1, 15, 15, 2048, FOUR_WAYS),
    "ch1": (1, 1, 384, 512, TWO_WAYS),
    "ch2": (1, 1, 768, 512, TWO_WAYS),
    "ch3": (1, 1, 1536, 512, TWO_WAYS),
    "ch4": (1, 1, 3072, 512, TWO_WAYS),
    "tr1": (16, 32, 32, 64, FOUR_WAYS),
    "tr2": (16, 16, 16, 128, FOUR_WAYS),
    "tr3": (16, 8, 8, 256, FOUR_WAYS),
    "tr4": (16, 4, 4, 512, FOUR_WAYS),
}


def _scan(image, columns):
    """``b d h w`` to ``b 4 d l``: forward along rows and columns (or rows twice), and reversed."""
    b, d, h, w = image.shape
    out = image.new_empty(b, 4, d, h * w)
    out[:, 0].view(b, d, h, w).copy_(image)
    if columns:
        out[:, 1].view(b, d, w, h).copy_(image.transpose(2, 3))
    else:
        out[:, 1].view(b, d, h, w).copy_(image)
    out[:, 2:].copy_(out[:, :2].flip(-1))
    return out


def _merge(y, h, w, columns):
    both = y[:, :2] + y[:, 2:].flip(-1)
    b, _, d, _ = y.shape
    second = both[:, 1].view(b, d, w, h).transpose(2, 3) if columns else both[:, 1].view(b, d, h, w)
    return both[:, 0].view(b, d, h, w) + second


class _Scanned(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image, columns):
        ctx.shape, ctx.columns = image.shape[2:], columns
        return _scan(image, columns)

    @staticmethod
    def backward(ctx, grad):
        return _merge(grad, *ctx.shape, ctx.columns), None


class _Merged(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, h, w, columns):
        ctx.columns, ctx.shape = columns, (h, w)
        return _merge(y, h, w, columns)

    @staticmethod
    def backward(ctx, grad):
        return _scan(grad.contiguous(), ctx.columns), None, None, None


def fused_case(values, ways):
    leaves = {n: v.requires_grad_() for n, v in values.items()}

    def forward():
        return directional_scan(**leaves, delta_softplus=True, directions=ways, backend="cpu")

    return forward, list(leaves.values()), torch.randn(values["u"].shape)


def unfused_case(values, ways):
    b, h, w, d = values["u"].shape
    columns, k = ways == FOUR_WAYS, len(ways)
    given = {n: values[n].detach().clone() for n in ("A", "D", "delta_bias")}
    given["u"] = values["u"].detach().permute(0, 3, 1, 2).contiguous()
    given["delta"] = torch.randn(b, k * d, h * w)
    given["B"], given["C"] = (torch.randn(b, k, values["A"].shape[1], h * w) for _ in "BC")
    leaves = {n: v.requires_grad_() for n, v in given.items()}

    def forward():
        arguments = leaves | {"u": _Scanned.apply(leaves["u"], columns).flatten(1, 2)}
        y = selective_scan(**arguments, delta_softplus=True, backend="cpu")
        return _Merged.apply(y.unflatten(1, (k, d)), h, w, columns)

    return forward, list(leaves.values()), torch.randn(b, d, h, w)


class _Composed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, ways, *tensors):
        ctx.inputs = DirectionalInputs(*tensors, True, ways)
        y, ctx.states = composed_forward(load_backend("cpu"), ctx.inputs)
        return y

    @staticmethod
    def backward(ctx, dy):
        grads = composed_backward(load_backend("cpu"), ctx.inputs, states=ctx.states, dy=dy)
        return None, *grads


def composed_case(values, ways):
    leaves = [values[n].detach().clone().requires_grad_() for n in NAMES]
    return lambda: _Composed.apply(ways, *leaves), leaves, torch.randn(values["u"].shape)


CASES = {"fused": fused_case, "unfused": unfused_case, "composed": composed_case}


def timed(case):
    """Seconds of the forward pass alone, and of a forward pass with gradients."""
    forward, leaves, dy = case
    start = time.perf_counter()
    with torch.no_grad():
        y = forward()
    middle = time.perf_counter()
    del y
    again = time.perf_counter()
    torch.autograd.grad(forward(), leaves, dy)
    return middle - start, time.perf_counter() - again


def peak_bytes(run):
    """The highest sum of what torch allocated and had not freed, during a call."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    peak = held = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    del result
    return peak


def peaks(case):
    forward, leaves, dy = case
    with torch.no_grad():
        alone = peak_bytes(forward)
    return alone, peak_bytes(lambda: torch.autograd.grad(forward(), leaves, dy))


def measured(name, rounds):
    b, h, w, d, ways = SHAPES[name]
    values = directional_arguments(b, 4, h, w, d, 1, dtype=torch.float32)
    values["delta"] = values["delta"].transpose(0, 1).contiguous().transpose(0, 1)
    cases = {n: make(values, ways) for n, make in CASES.items()}
    for case in cases.values():
        timed(case)
    times = {n: [] for n in cases}
    for turn in range(rounds):
        for n in list(cases)[:: 1 if turn % 2 else -1]:
            times[n].append(timed(cases[n]))
    row = {"shape": name, "sizes": [b, h, w, d]}
    for n, case in cases.items():
        memory = peaks(case)
        for i, which in enumerate(("forward", "both")):
            row[f"{n}_{which}_s"] = min(t[i] for t in times[n])
            row[f"{n}_{which}_peak_bytes"] = memory[i]
            ratios = [t[i] / f[i] for t, f in zip(times[n], times["fused"], strict=True)]
            row[f"{n}_{which}_ratio"] = statistics.median(ratios)
    return row


def table_row(row):
    cells = [row["shape"]]
    for which in ("forward", "both"):
        cells.append(f"{row[f'fused_{which}_s'] * 1e3:.2f}")
        for rival in ("unfused", "composed"):
            cells.append(f"{row[f'{rival}_{which}_ratio']:.2f}")
        peak = row[f"fused_{which}_peak_bytes"]
        cells.append(f"{peak / 2**20:.1f}")
        for rival in ("unfused", "composed"):
            cells.append(f"{peak / row[f'{rival}_{which}_peak_bytes']:.2f}")
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="shapes whose name holds this")
    parser.add_argument("--json", action="store_true", help="print the measurements instead")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    detail = next(b.detail for b in describe_backends() if b.name == "cpu")
    head = f"{platform.machine()}, {options.threads} threads, torch {torch.__version__}, {detail}"
    rows = (measured(name, options.rounds) for name in SHAPES if options.only in name)
    if options.json:
        print(json.dumps({"machine": head, "rows": list(rows)}, indent=1))
        return
    print(f"{head}\n")
    columns = ["ms", "by unfused", "by composed", "peak, MiB", "of unfused's", "of composed's"]
    titles = ["shape", *(f"{which}, {c}" for which in ("forward", "both") for c in columns)]
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    for row in rows:
        print(table_row(row), flush=True)


if __name__ == "__main__":
    main()
