"""What the cpu scan is timed against: the same loop in C, mambapy's parallel scan, torch's loop.

Each peer is a function of the scan's arguments and the gradient of y (None: forward alone) that
returns when the work is done; ``peers`` says which of them can run here.
"""

import ctypes
import importlib.util
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

from remamber.ops import reference, selective_scan
from remamber.ops._contract import ScanInputs, state_count
from remamber.ops._cpu_memory import empty
from remamber.ops._cpu_team import torch_team

_SIZES = ("b", "d", "l", "n", "g", "blocks")
_ARRAYS = (
    *("u", "delta", "A", "B", "C", "D", "bias", "y", "states", "dy"),
    *("du", "ddelta", "dA", "dB", "dC", "dD", "dbias", "number", "size"),
)


class _Scan(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in _SIZES] + [
        (name, ctypes.c_void_p) for name in _ARRAYS
    ]


def peers():
    """Each peer that can run here, by name."""
    found = {"reference": by_backend("reference"), "loop": loop}
    if importlib.util.find_spec("mambapy"):
        found["mambapy"] = mambapy
    if shutil.which("gcc") and torch.backends.cpu.get_cpu_capability() == "AVX512":
        found["C"] = by_hand
    return found


def by_backend(backend):
    def run(values, dy):
        if dy is None:
            with torch.no_grad():
                return selective_scan(**values, delta_softplus=True, backend=backend)
        leaves = {name: v.detach().requires_grad_() for name, v in values.items()}
        y = selective_scan(**leaves, delta_softplus=True, backend=backend)
        return torch.autograd.grad(y, list(leaves.values()), dy)

    return run


def loop(values, dy):
    """The step-by-step loop with autograd recording it, as most projects have it."""
    return _differentiated(lambda v: reference.forward(ScanInputs(**v, delta_softplus=True))[0])(
        values, dy
    )


def mambapy(values, dy):
    """mambapy's parallel scan between the same products; its states are a tensor of b l d n."""
    return _differentiated(_mambapy)(values, dy)


def _mambapy(v):
    from mambapy.pscan import pscan

    each = v["u"].shape[1] // v["B"].shape[1]
    B, C = (v[name].repeat_interleave(each, 1).permute(0, 3, 1, 2) for name in "BC")
    u = v["u"].transpose(1, 2)
    delta = F.softplus(v["delta"] + v["delta_bias"][:, None]).transpose(1, 2)
    h = pscan(torch.exp(delta[..., None] * v["A"]), (delta * u)[..., None] * B)
    return (h * C).sum(-1).transpose(1, 2) + v["D"][:, None] * v["u"]


def _differentiated(function):
    def run(values, dy):
        if dy is None:
            with torch.no_grad():
                return function(values)
        leaves = {name: v.detach().requires_grad_() for name, v in values.items()}
        return torch.autograd.grad(function(leaves), list(leaves.values()), dy)

    return run


def by_hand(values, dy):
    """The C of ``hand_written_scan.c``, on torch's threads and with memory like ours."""
    (b, d, length), n, g = values["u"].shape, values["A"].shape[1], values["B"].shape[1]
    units = d // g // 16
    share = -(-units // min(units, -(-32 // (b * g))))
    blocks, new = -(-units // share), values["u"].new_empty
    arrays = dict(zip(_ARRAYS, values.values(), strict=False))
    arrays |= {"y": empty(values["u"], b, d, length), "states": new(b, d, state_count(length), n)}
    _call(_library().forward, (b, d, length, n, g, blocks), arrays)
    if dy is None:
        return arrays["y"]
    arrays |= {name: empty(dy, b, d, length) for name in ("du", "ddelta")}
    arrays |= {name: new(blocks, b, g, n, length) for name in ("dB", "dC")}
    arrays |= {"dy": dy, "dA": new(b, d, n), "dD": new(b, d), "dbias": new(b, d)}
    _call(_library().backward, (b, d, length, n, g, blocks), arrays)
    summed = [arrays[name].sum(0) for name in ("dA", "dB", "dC", "dD", "dbias")]
    return [arrays["du"], arrays["ddelta"], *summed]


def _call(function, sizes, arrays):
    team, threads = torch_team(), torch.get_num_threads()
    companions = {
        name: ctypes.cast(getattr(team, name), ctypes.c_void_p) for name in ("number", "size")
    }
    pointers = {name: tensor.data_ptr() for name, tensor in arrays.items()}
    scan = _Scan(*sizes, **pointers, **companions)
    if threads == 1:
        function(ctypes.byref(scan))
    else:
        team.parallel(function, ctypes.byref(scan), threads, 0)


@cache
def _library():
    source = Path(__file__).with_name("hand_written_scan.c")
    built = Path(tempfile.mkdtemp(prefix="scan-")) / f"scan-{platform.machine()}.so"
    command = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", built, source]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(built))
