"""What ``doctor`` looks at: a line each, with a state and, where it is not well, a fix."""

import platform
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from remamber.cli._settings import Resolved
from remamber.errors import UserError
from remamber.record.environment import code_checkout, cpu_model, package_versions, usable_cores

State = Literal["ok", "warning", "bad"]
OK: State = "ok"
WARNING: State = "warning"
BAD: State = "bad"

_MARKS = {OK: "✔", WARNING: "!", BAD: "✘"}
_ASCII_MARKS = {OK: "+", WARNING: "!", BAD: "x"}
_UNSET = {"data_root": "none", "threads": "all cores", "workers": "by the amount of data"}
_LEFT = 16
"""Columns of the mark and the name."""
_GIB = 2**30
_DISK_GIB, _MEMORY_GIB = 2, 4
_PAPERS = ("refcoco", "refcoco+", "refcocog")
"""The paper's data sets; of others only what is there is spoken of."""


class Check(NamedTuple):
    """One line: what was looked at, how it is, what was found, and what to do."""

    name: str
    state: State
    found: str
    fix: str = ""

    def text(self, *, width: int) -> str:
        """The line, folded, with the fix below; plain marks where the encoding has no others."""
        try:
            "✔✘".encode(sys.stdout.encoding or "ascii")
            mark = _MARKS[self.state]
        except UnicodeEncodeError:
            mark = _ASCII_MARKS[self.state]
        lines = _folded(self.found, width)
        if self.fix:
            lines += _folded(f"fix  {self.fix}", width)
        return f"{mark} {self.name:<14}" + f"\n{' ' * _LEFT}".join(lines)


def _folded(text: str, width: int) -> list[str]:
    room = max(width - _LEFT, _LEFT)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def all_checks(resolved: Resolved) -> list[Check]:
    """Every check in the order of a user's needs; a check that breaks is a line of its own."""
    parts: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("package", _package),
        ("torch", _torch),
        ("scan backend", _scan),
        ("processor", lambda: _processor(resolved)),
        ("memory", _memory),
        ("disk", lambda: _disk(resolved)),
        ("data", lambda: _data(resolved)),
        ("PNG figures", _pictures),
        ("settings", lambda: _settings(resolved)),
        ("ablate scans", lambda: _estimate(resolved)),
    ]
    found: list[Check] = []
    for name, check in parts:
        try:
            found.extend(check())
        except UserError as error:
            found.append(Check(name, BAD, error.what, error.fix[0] if error.fix else ""))
        except Exception as error:  # noqa: BLE001 - doctor must speak even where all is broken
            found.append(Check(name, BAD, f"{type(error).__name__}: {error}", "see --debug"))
    return found


def _package() -> Iterable[Check]:
    versions = package_versions()
    commit, dirty = code_checkout()
    source = f"commit {commit[:8]}{', changed' if dirty else ''}" if commit else "installed"
    mine = versions.get("remamber-bench", "?")
    where = f"{platform.python_version()} at {sys.prefix}"
    yield Check("package", OK, f"remamber-bench {mine} ({source}), Python {where}")
    others = [f"{n} {v}" for n, v in versions.items() if n not in ("remamber-bench", "torch")]
    yield Check("libraries", OK, ", ".join(others))


def _torch() -> Iterable[Check]:
    import torch

    if torch.cuda.is_available():
        yield Check("torch", OK, f"{torch.__version__}, {torch.cuda.get_device_name()}")
        return
    driver = shutil.which("nvidia-smi")
    fix = "install a CUDA build of torch for the GPU that is here" if driver else ""
    state = WARNING if driver else OK
    yield Check("torch", state, f"{torch.__version__}, runs on the CPU", fix)


def _scan() -> Iterable[Check]:
    import torch

    from remamber.ops import describe_backends, resolve_backend

    name = resolve_backend("auto", "cuda" if torch.cuda.is_available() else "cpu")
    others = [f"{b.name}: {b.detail}" for b in describe_backends()]
    error = _scan_error(name)
    good = error < 1e-4
    found = f"{name}, differs from the reference by {error:.0e} ({'; '.join(others)})"
    yield Check(
        "scan backend", OK if good else BAD, found, "" if good else "--scan-backend reference"
    )


def _scan_error(backend: str) -> float:
    """Largest relative difference to the step-by-step scan, output and input gradient."""
    import torch

    from remamber.ops import selective_scan

    made = torch.Generator().manual_seed(0)
    b, d, l, n = 2, 16, 64, 4  # noqa: E741 - the scan's own axes
    shapes = {"u": (b, d, l), "delta": (b, d, l), "A": (d, n), "B": (b, n, l), "C": (b, n, l)}
    inputs = {name: torch.randn(shape, generator=made) for name, shape in shapes.items()}
    inputs["A"] = -inputs["A"].exp()
    inputs["u"].requires_grad_()
    results = []
    for name in (backend, "reference"):
        out = selective_scan(
            inputs["u"],
            inputs["delta"],
            inputs["A"],
            inputs["B"],
            inputs["C"],
            delta_softplus=True,
            backend=name,
        )
        (gradient,) = torch.autograd.grad(out.square().sum(), inputs["u"])
        results.append((out.detach(), gradient))
    pairs = zip(*results, strict=True)
    return max(float((x - y).abs().max() / y.abs().max()) for x, y in pairs)


def _processor(resolved: Resolved) -> Iterable[Check]:
    threads = resolved.settings.threads or usable_cores()
    state = OK if threads <= usable_cores() else WARNING
    fix = "" if state == OK else f"--threads {usable_cores()}: more threads than cores are slower"
    yield Check(
        "processor", state, f"{cpu_model()}, {usable_cores()} cores, {threads} threads", fix
    )


def _memory() -> Iterable[Check]:
    import psutil

    memory = psutil.virtual_memory()
    enough = memory.available >= _MEMORY_GIB * _GIB
    found = f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free"
    fix = "" if enough else f"close something: the default study needs up to {_MEMORY_GIB} GiB"
    yield Check("memory", OK if enough else WARNING, found, fix)


def _disk(resolved: Resolved) -> Iterable[Check]:
    store = resolved.settings.store
    place = next(p for p in (store, *store.parents) if p.exists())
    if not place.is_dir():
        yield Check("store", BAD, f"{place} is not a folder", "--store DIR: another folder")
        return
    free = shutil.disk_usage(place).free
    enough = free >= _DISK_GIB * _GIB
    fix = "" if enough else "free some space, or --store a folder on another disk"
    yield Check("disk", OK if enough else WARNING, f"{free / _GIB:.0f} GiB free at {place}", fix)


def _data(resolved: Resolved) -> Iterable[Check]:
    from remamber.datasets._origins import origins
    from remamber.datasets._state import state_of
    from remamber.registry import DATASETS

    root, real = resolved.settings.data_root, origins()
    built_in = [name for name in DATASETS.names() if name not in real]
    missing = f"; {', '.join(real)} need --data-root DIR" if root is None else ""
    yield Check("data", OK, f"{', '.join(built_in)} built in{missing}")
    if root is None:
        return
    for name, origin in real.items():
        if state_of(origin, root).state != "none":
            yield _data_there(name, root)
        elif name in _PAPERS:
            fix = f"remamber-bench data list --explain {name}    (what to fetch)"
            yield Check(name, WARNING, f"not under {root}", fix)


def _data_there(name: str, root: Path) -> Check:
    """Whether a data set of which something is there can be opened."""
    from remamber.datasets import DataPlace, open_dataset
    from remamber.plan.spec import DataSpec

    try:
        dataset = open_dataset(DataSpec(name=name), DataPlace(root=root))
        splits = ", ".join(f"{s} {len(dataset.refs(s)):,}" for s in dataset.splits())
        return Check(name, OK, f"refs: {splits} at {dataset.location}")
    except UserError as error:
        lines = [line for line in error.where if line.startswith(("found", "missing"))]
        fix = f"remamber-bench data list --explain {name} --data-root {root}"
        return Check(name, WARNING, "; ".join([error.what, *lines]), fix)


def _pictures() -> Iterable[Check]:
    from remamber.report.pictures import find_browser, why_no_pictures

    missing = why_no_pictures()
    if missing is None:
        yield Check("PNG figures", OK, str(find_browser()))
    else:
        fix = "pip install 'remamber-bench[png]' and a Chrome or Chromium; HTML needs neither"
        yield Check("PNG figures", WARNING, missing, fix)


def _settings(resolved: Resolved) -> Iterable[Check]:
    for key, value in resolved.settings:
        shown = _UNSET[key] if value is None else value
        yield Check(key.replace("_", " "), OK, f"{shown}  ({resolved.origins[key]})")


def _estimate(resolved: Resolved) -> Iterable[Check]:
    from remamber.cli._duration import spoken
    from remamber.cli._study import load_study
    from remamber.launch import Errand, plan_launch
    from remamber.plan.study import Choices
    from remamber.record.store import Store

    study = load_study("scans", Choices())
    threads = resolved.settings.threads or usable_cores()
    errand = Errand(study.specs, Store(Path(resolved.settings.store)), threads=threads)
    plan = plan_launch(errand, sizes={}, fresh=True)
    if plan.seconds is None:
        yield Check("ablate scans", OK, "time not known: ablate scans --dry-run measures it")
    else:
        yield Check("ablate scans", OK, f"about {spoken(plan.seconds)} from the start")
