"""What the first scan in a process costs: compiling it, and finding it compiled by an earlier one.

Each figure is taken in a process of its own with an empty, then a filled cache folder.
"""

import json
import os
import subprocess
import sys
import tempfile

from remamber.plan.scan_shapes import SHAPES
from remamber.record.schema import Measurement

CACHES = {"cpu": "NUMBA_CACHE_DIR", "triton": "TRITON_CACHE_DIR"}
"""Backends that compile, and the variable that says where they keep what they compiled."""
_SHAPE = "s4_256"
_PROGRAM = """
import json, sys, time
begin = time.perf_counter()
import torch
from remamber.ops import selective_scan
imported = time.perf_counter()
name, device, b, d, l, n, g, threads = json.loads(sys.argv[1])
torch.set_num_threads(threads)
leaves = [torch.ones(s, device=device).requires_grad_() for s in
          ((b, d, l), (b, d, l), (d, n), (b, g, n, l), (b, g, n, l))]
start = time.perf_counter()
y = selective_scan(*leaves, backend=name)
torch.autograd.grad(y.sum(), leaves)
if device == "cuda":
    torch.cuda.synchronize()
print(json.dumps([imported - begin, time.perf_counter() - start]))
"""


def start_up(backend: str, *, device: str, threads: int) -> list[Measurement]:
    """First forward and backward in a fresh process: compiled anew, then from the cache.

    Args:
        backend: one of ``CACHES``.
        device: ``cpu`` or ``cuda``.
        threads: compute threads.

    Raises:
        RuntimeError: the process failed; its last words.
    """
    shape = SHAPES[_SHAPE]
    asked = [backend, device, shape.b, shape.channels, shape.length, shape.n, shape.groups, threads]
    found = []
    with tempfile.TemporaryDirectory(prefix="remamber-kernels-") as folder:
        for cache in ("empty", "filled"):
            imported, first = _in_a_process(json.dumps(asked), {CACHES[backend]: folder})
            where = {"implementation": backend, "cache": cache}
            found += [
                Measurement(metric="first_call_s", value=first, unit="seconds", where=where),
                Measurement(metric="import_s", value=imported, unit="seconds", where=where),
            ]
    return found


def _in_a_process(asked: str, variables: dict[str, str]) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROGRAM, asked],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise RuntimeError(f"the process that times the start failed: {said[-1]}")
    imported, first = json.loads(done.stdout.splitlines()[-1])
    return imported, first
