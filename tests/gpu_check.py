"""Checks and times the scans on a GPU, in one call of under eight minutes and without a network.

    python tests/gpu_check.py OUT [--mamba-ssm WHEEL_OR_SOURCES] [--budget 440] [--batch 8]

from the repository's root. Needs torch for CUDA, triton, jaxtyping and numpy; not an installed
remamber. Writes OUT/gpu_check.json and OUT/gpu_check.md: errors of every backend against the
reference in float64, times and the fraction of the measured copy bandwidth, SS2D fused against
composed, other tiles. What the budget leaves no time for is listed as left out. mamba-ssm is
built, if it must be, beside the first measurements. ``--device cpu`` goes through the motions on
small shapes under Triton's interpreter.
"""

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
PERFECT = "bytes of a perfect kernel: every argument read and every result written once"


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--budget", type=float, default=440, help="seconds")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--mamba-ssm", type=Path, help="a wheel or its sources, to install")
    return parser.parse_args(arguments)


class Bench:
    """Runs measurements until the time is over, and remembers results, failures and the rest."""

    def __init__(self, device, budget):
        self.device, self.end = device, time.monotonic() + budget
        self.results, self.failed, self.left_out = {}, [], []

    @property
    def seconds_left(self):
        return self.end - time.monotonic()

    def add(self, table, row, measure, *, reserve=5.0):
        """Measure and note a row, unless less than ``reserve`` seconds are left."""
        name = f"{table}: {' '.join(map(str, row.values()))}"
        if self.seconds_left < reserve:
            self.left_out.append(name)
            return None
        try:
            row = row | measure()
        except Exception as error:
            self.failed.append({"what": name, "error": repr(error)[:500]})
            traceback.print_exc()
            return None
        self.results.setdefault(table, []).append(row)
        print(f"{self.seconds_left:5.0f} s left  {name}", file=sys.stderr, flush=True)
        return row


def shapes(batch, device):
    """Sequences (b, d, l, n, g) and their images (b, k, h, w, d, n), by name."""
    if device == "cpu":
        return {"tiny": (1, 4, 6, 1, 4)}, {"tiny": (1, 4, 2, 3, 2, 1)}
    sides = {"256": 64, "480": 120}
    widths = (256, 512, 1024, 2048)
    images = {
        f"s{i + 1}_{size}": (batch, 4, side >> i, side >> i, widths[i], 1)
        for size, side in sides.items()
        for i in range(4)
    }
    images |= {"tr1": (16, 4, 32, 32, 64, 1), "tr4": (16, 4, 4, 4, 512, 1)}
    images |= {"s1_480 alone": (1, 4, 120, 120, 256, 1)}
    sequences = {n: (b, k * d, h * w, s, k) for n, (b, k, h, w, d, s) in images.items()}
    sequences |= {"ch2": (batch, 2048, 768, 1, 4), "mamba": (batch, 1536, 2048, 16, 1)}
    sequences |= {"mamba alone": (1, 1536, 2048, 16, 1)}
    return sequences, images


def sequence_bytes(sizes, step, width):
    b, d, length, n, g = sizes
    inside, shared = b * d * length * width, 2 * b * g * n * length * width
    forward = 3 * inside + shared
    return forward if step == "forward" else forward + 5 * inside + 2 * shared


def image_bytes(sizes, step, width):
    b, k, h, w, d, n = sizes
    image = b * h * w * d
    shared = 2 * b * k * n * h * w * width
    forward = image * (width + k * width + 4) + shared
    backward = image * (2 * width + 2 * k * width + 4) + 2 * shared
    return forward if step == "forward" else forward + backward


def check(bench, backends):
    import gpu_measure as measure

    small = bench.device == "cpu"
    sequences = [(1, 4, 9, 1, 2)] if small else [(2, 64, 700, 1, 4), (2, 24, 333, 16, 2)]
    images = [(1, 4, 2, 3, 2, 1)] if small else [(2, 4, 30, 25, 40, 1), (1, 4, 9, 31, 12, 16)]
    for backend in backends:
        for op, make, cases in (
            ("selective_scan", measure.sequence_pass, sequences),
            ("directional_scan", measure.image_pass, images),
        ):
            for sizes in cases:
                row = {"op": op, "backend": backend, "sizes": str(sizes)}
                found = bench.add(
                    "errors",
                    row,
                    lambda make=make, sizes=sizes, backend=backend: measure.errors(
                        make, sizes, backend, device=bench.device
                    ),
                )
                if found and not (found["values"] < 1e-6 and found["gradients"] < 1e-5):
                    bench.failed.append({"what": f"errors: {row}", "error": "too large"})


def time_all(bench, table, cases, makers, count_bytes, copy):
    """Every shape and pass with each maker, one after the other, so that they share conditions."""
    import gpu_measure as measure
    import torch

    for name, sizes in cases.items():
        for dtype in (torch.float32, torch.bfloat16):
            if dtype == torch.bfloat16 and name not in ("s1_480", "mamba"):
                continue
            for step in ("forward", "both"):
                for label, (make, backend) in makers.items():

                    def timed(make=make, backend=backend, sizes=sizes, step=step, dtype=dtype):
                        run = make(sizes, step, backend, device=bench.device, dtype=dtype)
                        found = measure.milliseconds(run, device=bench.device)
                        moved = count_bytes(sizes, step, dtype.itemsize)
                        found["of bandwidth"] = moved / found["ms"] * 1e3 / copy
                        return found | {"peak bytes": measure.peak_bytes(run, bench.device)}

                    kind = str(dtype).removeprefix("torch.")
                    row = {"shape": name, "dtype": kind, "pass": step, "by": label}
                    bench.add(table, row | {"sizes": str(sizes)}, timed)


def sweep(bench, images, sequences):
    """Other tiles than the chosen ones, on the shapes that matter most."""
    import gpu_measure as measure
    import torch

    from remamber.ops import _triton_launch as launch
    from remamber.ops._triton_tiles import Tile

    wide = [(8, 128, 8, 1), (8, 128, 4, 2), (16, 128, 8, 2), (16, 128, 4, 4), (8, 256, 8, 2)]
    wide += [(8, 128, 2, 4), (32, 128, 8, 4), (4, 128, 4, 1)]
    long = [(1, 1024, 1, 4), (1, 512, 1, 2), (1, 2048, 1, 4), (2, 512, 1, 4), (4, 256, 1, 4)]
    long += [(4, 512, 1, 8), (1, 1024, 1, 8), (2, 256, 1, 2)]
    cases = [("image", "s1_480", images, measure.image_pass, wide)]
    cases += [("sequence", n, sequences, measure.sequence_pass, long) for n in ("s1_480", "mamba")]
    if bench.device == "cpu":
        cases = [("image", "tiny", images, measure.image_pass, [(2, 128, 4, 1)])]
    chosen = launch.forward_tile, launch.backward_tile
    for kind, name, sizes, make, tiles in cases:
        for tile in [Tile(c, s, r, w, g) for g in (1, 2) for c, s, r, w in tiles]:
            for step in ("forward", "both"):

                def timed(tile=tile, make=make, sizes=sizes[name], step=step):
                    launch.forward_tile = launch.backward_tile = lambda work: tile
                    how = {"device": bench.device, "dtype": torch.float32}
                    return measure.milliseconds(
                        make(sizes, step, "triton", **how), device=bench.device
                    )

                row = {"kind": kind, "shape": name, "pass": step, "tile": str(tuple(tile))}
                bench.add("tiles", row, timed, reserve=20)
    launch.forward_tile, launch.backward_tile = chosen


def markdown(results):
    lines = ["# GPU check", "", f"{PERFECT}; `both` is forward and backward.", ""]
    lines += [f"- {key}: {value}" for key, value in results["machine"].items()]
    lines += [f"- copy bandwidth, GB/s: {results['bandwidth'] / 1e9:.0f}", ""]
    for title, rows in results["tables"].items():
        heads = list(rows[0])
        lines += [f"## {title}", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        lines += [f"| {' | '.join(_cell(row[head]) for head in heads)} |" for row in rows] + [""]
    for title in ("failed", "left out"):
        lines += [f"## {title}", ""] + ([f"- {item}" for item in results[title]] or ["nothing"])
    return "\n".join([*lines, ""])


def _cell(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def backends_here(device):
    """Those of the GPU that can run, and what each says of itself."""
    import torch

    from remamber.ops.backends import load_backend, probe_backend

    found = [probe_backend(name) for name in ("triton", "mamba-ssm")]
    where = torch.device(device)
    usable = [b.name for b in found if b.available]
    return [n for n in usable if load_backend(n).takes(where, torch.float32)], {
        f"backend {b.name}": b.detail for b in found
    }


def main(arguments=None):
    chosen = options(arguments)
    if chosen.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"
    sys.path[:0] = [str(HERE), str(HERE / "ops"), str(HERE.parent)]
    torch = importlib.import_module("torch")
    if chosen.device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            "there is no CUDA device here; --device cpu tries the script under the interpreter"
        )
    bench = Bench(chosen.device, chosen.budget)
    chosen.out.mkdir(parents=True, exist_ok=True)
    measure = importlib.import_module("gpu_measure")
    building = None
    if chosen.mamba_ssm:
        building = measure.build_mamba(chosen.mamba_ssm, chosen.out)
    sequences, images = shapes(chosen.batch, chosen.device)
    copy = measure.bandwidth(chosen.device)
    check(bench, ["triton"])
    fused = {form: (measure.parts_pass, form) for form in ("fused", "composed")}
    time_all(bench, "SS2D, Triton", images, fused, image_bytes, copy)
    built = "not asked for"
    if building:
        built = measure.await_build(building, bench.seconds_left - 90)
    names, details = backends_here(chosen.device)
    check(bench, [n for n in names if n == "mamba-ssm"])
    scans = {n: (measure.sequence_pass, n) for n in names if n in ("triton", "mamba-ssm")}
    time_all(bench, "selective scan", sequences, scans, sequence_bytes, copy)
    sweep(bench, images, sequences)
    results = {
        "machine": measure.machine(chosen.device)
        | details
        | {"build of mamba-ssm": built, "batch": chosen.batch},
        "bandwidth": copy,
        "tables": bench.results,
        "failed": bench.failed,
        "left out": bench.left_out,
    }
    (chosen.out / "gpu_check.json").write_text(json.dumps(results, indent=1))
    (chosen.out / "gpu_check.md").write_text(markdown(results))
    print(markdown(results))
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
