"""Times the base model's forward pass with the cpu scan against the step-by-step scan.

A script, not a test: ``python tests/models/bench_base.py [--threads 4] [--only conv256]`` prints
a Markdown table. Batch 1, float32, released decoders, random weights, text features given. The
two scans are interleaved in one process on one model, so that another load on the machine meets
both alike; times are medians of wall seconds, the ratio is the median of the rounds' ratios.
Peak memory is the largest resident set of a fresh process during its one pass, weights (0.5 GB)
included.
"""

import argparse
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
from remamber.tasks._allocator import keep_freed_memory  # noqa: E402

CASES = {
    f"{decoder}{size}": (decoder, size) for size in (256, 480) for decoder in ("conv", "mamba")
}
SCANS = ("cpu", "reference")


def choose(model, backend):
    for module in model.modules():
        if hasattr(module, "backend"):
            module.backend = backend


def peak_mib():
    """Largest resident set since the last reset, where the kernel tells it (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def one_pass(model, inputs, backend):
    choose(model, backend)
    with torch.inference_mode():
        start = time.perf_counter()
        logits = model(*inputs)
        return time.perf_counter() - start, logits


def prepared(name):
    decoder, side = CASES[name]
    torch.manual_seed(0)
    model = ReleasedReMamber(ReleaseShape(SIZES["base"], decoder, 2, 20)).eval()
    return model, (torch.randn(1, 3, side, side), torch.randn(1, 20, 768), torch.randn(1, 768))


def print_peak(name, backend):
    model, inputs = prepared(name)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    one_pass(model, inputs, backend)
    print(peak_mib())


def peak_of(name, backend, options):
    """Peak of a process of its own: freed memory of other passes would count here."""
    command = [sys.executable, __file__, "--threads", str(options.threads), "--peak", name, backend]
    command += ["--plain-malloc"] if options.plain_malloc else []
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(said.stdout)


def measure(name, options):
    peaks = {scan: peak_of(name, scan, options) for scan in SCANS}
    model, inputs = prepared(name)
    for _ in range(2):
        one_pass(model, inputs, "cpu")
    times = {scan: [] for scan in SCANS}
    logits, ratios = {}, []
    for _ in range(options.rounds):
        slow, logits["reference"] = one_pass(model, inputs, "reference")
        fast = []
        for _ in range(options.passes):
            taken, logits["cpu"] = one_pass(model, inputs, "cpu")
            fast.append(taken)
        times["reference"].append(slow)
        times["cpu"] += fast
        ratios.append(slow / statistics.median(fast))
    return {
        "case": name,
        "cpu_s": statistics.median(times["cpu"]),
        "cpu_min_s": min(times["cpu"]),
        "reference_s": statistics.median(times["reference"]),
        "ratio": statistics.median(ratios),
        "cpu_peak_mib": peaks["cpu"],
        "reference_peak_mib": peaks["reference"],
        "difference": (logits["cpu"] - logits["reference"]).abs().max().item(),
    }


def processor():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [text.partition(": ")[2] for text in lines if text.startswith("model name")]
    return names[0] if names else platform.machine()


def line(row):
    times = f"{row['cpu_s']:.2f} ({row['cpu_min_s']:.2f}) | {row['reference_s']:.2f}"
    peaks = f"{row['cpu_peak_mib']:,.0f} | {row['reference_peak_mib']:,.0f}"
    return f"| {row['case']} | {times} | {row['ratio']:.1f} | {peaks} | {row['difference']:.0e} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", action="append", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=5, help="with the cpu scan, in a round")
    parser.add_argument("--plain-malloc", action="store_true", help="give freed memory back")
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "SCAN"), help="print one peak in MiB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not options.plain_malloc:
        keep_freed_memory()
    if options.peak:
        print_peak(*options.peak)
        return
    rows = []
    if not options.json:
        print(f"{processor()}, {options.threads} threads, torch {torch.__version__}\n")
        print("| case | cpu s (fastest) | reference s | ratio | cpu MiB | reference MiB | diff |")
        print("|---|---|---|---|---|---|---|")
    for name in options.only or CASES:
        rows.append(measure(name, options))
        if not options.json:
            print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
