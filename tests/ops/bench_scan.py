"""Times the cpu scan against its peers, forward alone and with backward, and what else it costs.

A script, not a test: ``python tests/ops/bench_scan.py [--threads 4] [--only s1] [--json FILE]``
prints a Markdown table of the base model's shapes at 256 and 480, a training batch's and Mamba's
own. All that runs is interleaved, so that another load on the machine meets everything alike:
times are medians, and so are the ratios, which are taken round by round. Errors are against
float64, relative to the largest value; memory is what the process's peak grew by.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import torch
from scan_cases import NAMES, relative_error, scan_arguments
from scan_peers import by_backend, peers

from remamber.ops.backends import probe_backend

_STAGES = {256: (4096, 1024, 256, 64), 480: (14400, 3600, 900, 225)}
SHAPES = {
    f"s{i + 1} at {side}": (1, 1024 * 2**i, length, 1, 4)
    for side, lengths in _STAGES.items()
    for i, length in enumerate(lengths)
}
SHAPES |= {f"ch{i + 1}": (1, 2048, 384 * 2**i, 1, 4) for i in range(4)}
SHAPES |= {f"tr{i + 1}": (16, 256 * 2**i, 1024 // 4**i, 1, 4) for i in range(4)}
SHAPES |= {f"tiny{i + 1}": (32, 64 * 2**i, 256 // 4**i, 1, 4) for i in range(4)}
SHAPES["mamba"] = (1, 1536, 2048, 16, 1)
WEIGHED = ("cpu", "mambapy", "C")
"""Whose memory is measured: the loop's is known, and waiting for it twice more is long."""
FEWEST = 7
"""Times each round runs what takes little, of which the median counts."""


def measure(name, shape, options):
    values = scan_arguments(*shape, dtype=torch.float32)
    dy = torch.randn(shape[:3])
    runs = {"cpu": by_backend("cpu")} | {
        peer: run for peer, run in peers().items() if peer in options.peers
    }
    if shape[2] > options.longest_loop:
        runs.pop("loop", None)
    row = {"shape": name, "sizes": shape, "threads": torch.get_num_threads()}
    for kind, gradient in (("forward", None), ("both", dy)):
        times = interleaved(runs, values, gradient, options.rounds)
        row[kind] = summary(times)
        row[f"{kind}_mib"] = {peer: extra_mib(run, values, gradient) for peer, run in runs.items()}
    row["errors"] = errors(values, dy)
    return row


def interleaved(runs, values, dy, rounds):
    times = {name: [] for name in runs}
    repeats = {}
    for name, run in runs.items():
        start = time.perf_counter()
        run(values, dy)
        repeats[name] = FEWEST if time.perf_counter() - start < 0.3 else 1
    for _ in range(rounds):
        for name, run in runs.items():
            taken = []
            for _ in range(repeats[name]):
                start = time.perf_counter()
                run(values, dy)
                taken.append(time.perf_counter() - start)
            times[name].append(statistics.median(taken))
    return times


def summary(times):
    """Milliseconds of each, and how many times longer than ours each peer takes."""
    result = {name: {"ms": statistics.median(taken) * 1e3} for name, taken in times.items()}
    for name, taken in times.items():
        ratios = [theirs / ours for theirs, ours in zip(taken, times["cpu"], strict=True)]
        result[name]["ratio"] = statistics.median(ratios)
    return result


def extra_mib(run, values, dy):
    """By how much the resident set's peak grows, all results included."""
    run(values, dy)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    kept = run(values, dy)
    peak = _status("VmHWM")
    del kept
    return (peak - before) / 1024


def _status(field):
    return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text()).group(1))


def errors(values, dy):
    exact = {name: v.double() for name, v in values.items()}
    expected = by_backend("reference")(exact, dy.double())
    found = by_backend("cpu")(values, dy)
    pairs = zip(NAMES, found, expected, strict=True)
    gradients = {f"d_{name}": relative_error(f, e) for name, f, e in pairs}
    y = by_backend("reference")(exact, None)
    return {"y": relative_error(by_backend("cpu")(values, None), y)} | gradients


def scaling(shape, rounds=9):
    """How many times faster four threads are than one."""
    values, dy = scan_arguments(*shape, dtype=torch.float32), torch.randn(shape[:3])
    run, ratios = by_backend("cpu"), []
    for _ in range(rounds):
        taken = {}
        for threads in (1, 4):
            torch.set_num_threads(threads)
            run(values, dy)
            start = time.perf_counter()
            run(values, dy)
            taken[threads] = time.perf_counter() - start
        ratios.append(taken[1] / taken[4])
    return statistics.median(ratios)


def starts():
    """Seconds that compiling adds to a process's start, and loading the result from the cache."""
    program = (
        "import time, torch; from remamber.ops import backends; start = time.perf_counter();"
        "assert backends.probe_backend('cpu').available; print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", program]
        runs = [subprocess.run(command, env=environment, capture_output=True) for _ in range(4)]
    first, *later = (float(run.stdout) for run in runs)
    return {"compile_s": first, "cached_s": statistics.median(later)}


def line(row):
    cells = [row["shape"], str(row["sizes"])]
    for kind in ("forward", "both"):
        found = row[kind]
        cells.append(f"{found['cpu']['ms']:.2f}")
        cells += [
            f"{found[peer]['ratio']:.3g}" if peer in found else ""
            for peer in ("reference", "loop", "mambapy", "C")
        ]
        mib = row[f"{kind}_mib"]
        cells.append(" / ".join(f"{mib[peer]:.0f}" for peer in ("cpu", "mambapy") if peer in mib))
    gradient = max(v for name, v in row["errors"].items() if name != "y")
    return f"| {' | '.join(cells)} | {row['errors']['y']:.0e} | {gradient:.0e} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="shapes whose name holds this")
    parser.add_argument("--peers", default="reference,loop,mambapy,C", help="timed beside ours")
    parser.add_argument("--longest-loop", type=int, default=300, help="l up to which it is timed")
    parser.add_argument("--costs", action="store_true", help="also compile times and scaling")
    parser.add_argument("--json", type=Path, help="also write everything here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{platform.machine()}, {options.threads} threads, torch {torch.__version__}, ", end="")
    print(f"numba {numba.__version__}, float32; {probe_backend('cpu').detail}\n")
    result = {"rows": []}
    kinds = "cpu, ms | by reference | by loop | by mambapy | by C | MiB cpu / mambapy"
    print(f"| shape | (b, d, l, n, g) | {kinds} | both: {kinds} | error of y | of gradients |")
    print("|---" * 16 + "|")
    for name, shape in ((n, s) for n, s in SHAPES.items() if options.only in n):
        result["rows"].append(measure(name, shape, options))
        print(line(result["rows"][-1]), flush=True)
    if options.costs:
        result |= starts() | {"scaling": {n: scaling(SHAPES[n]) for n in ("s1 at 480", "tr1")}}
        print({key: value for key, value in result.items() if key != "rows"})
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
