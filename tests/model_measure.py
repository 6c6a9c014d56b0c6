"""Measures the base model's forward pass on a CPU: seconds and peak memory, as one JSON document.

A script, not a test: ``python tests/model_measure.py [--threads 4] [--only mamba256] > out.json``.
Batch 1, float32, released decoders, random weights, text features given.

Three ways of computing the same logits are interleaved in one process on one model, so that
another load on the machine meets all alike:

    model      as it is: the compiled scan, and ``remamber.ops.linear``
    torch      the compiled scan, matrix products left to torch
    reference  the step-by-step scan, matrix products left to torch

Times are wall seconds (CPU seconds with one thread); a ratio is the median of the rounds' ratios.
Peak memory is the largest resident set of a fresh process during one pass, weights (0.5 GB)
included, where the system tells it (Linux).
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

# Before torch loads its thread pool: long spin waits collapse on a busy machine.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import torch  # noqa: E402

from remamber.models._release import ReleasedReMamber  # noqa: E402
from remamber.models._sizes import SIZES, ReleaseShape  # noqa: E402
from remamber.record.environment import environment  # noqa: E402
from remamber.tasks._allocator import keep_freed_memory  # noqa: E402

CASES = {
    f"{decoder}{size}": (decoder, size) for size in (256, 480) for decoder in ("conv", "mamba")
}
LINEAR = importlib.import_module("remamber.ops.linear")
"""The module; the package's attribute of this name is the function."""
WAYS = {"model": ("cpu", True), "torch": ("cpu", False), "reference": ("reference", False)}
"""Scan backend, and whether products may leave torch's own path."""


def prepared(case):
    decoder, side = CASES[case]
    torch.manual_seed(0)
    model = ReleasedReMamber(ReleaseShape(SIZES["base"], decoder, 2, 20)).eval()
    return model, (torch.randn(1, 3, side, side), torch.randn(1, 20, 768), torch.randn(1, 768))


def one_pass(model, inputs, way):
    backend, ours = WAYS[way]
    for module in model.modules():
        if hasattr(module, "backend"):
            module.backend = backend
    before = LINEAR._WORTH
    LINEAR._WORTH = before if ours else sys.maxsize
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    try:
        with torch.inference_mode():
            start = clock()
            logits = model(*inputs)
            return clock() - start, logits
    finally:
        LINEAR._WORTH = before


def peak_here(case, way):
    """Largest resident set of this process during one pass, in MiB; None if nobody tells."""
    model, inputs = prepared(case)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        one_pass(model, inputs, way)
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def peak_of(case, way, options):
    command = [sys.executable, __file__, "--threads", str(options.threads), "--peak", case, way]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(said.stdout)


def measure(case, options):
    peaks = {way: peak_of(case, way, options) for way in WAYS}
    model, inputs = prepared(case)
    _, exact = one_pass(model, inputs, "reference")
    times, errors = {way: [] for way in WAYS}, {}
    for way in ("model", "torch"):
        _, logits = one_pass(model, inputs, way)
        errors[way] = (logits - exact).abs().max().item()
    for _ in range(options.rounds):
        for way in WAYS:
            passes = 1 if way == "reference" else options.passes
            taken = [one_pass(model, inputs, way)[0] for _ in range(passes)]
            times[way].append(taken)
    medians = {way: [statistics.median(taken) for taken in rounds] for way, rounds in times.items()}
    return {
        "case": case,
        "seconds": {way: statistics.median(values) for way, values in medians.items()},
        "fastest_seconds": {way: min(map(min, rounds)) for way, rounds in times.items()},
        "times_faster_than": {
            way: statistics.median(
                slow / fast for slow, fast in zip(medians[way], medians["model"], strict=True)
            )
            for way in ("torch", "reference")
        },
        "peak_mib": peaks,
        "largest_difference_to_reference": errors,
        "raw_seconds": times,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", action="append", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=5, help="in a round, of the fast ways")
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "WAY"), help="print one peak in MiB")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    if options.peak:
        print(json.dumps(peak_here(*options.peak)))
        return
    rows = []
    for case in options.only or CASES:
        print(f"{case} ...", file=sys.stderr)
        rows.append(measure(case, options))
    made = environment(device=platform.machine(), threads=options.threads, scan_backend="cpu")
    print(json.dumps({"environment": made.model_dump(mode="json"), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
