"""The machine and the software that make a run's numbers, read without importing torch."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import psutil

from remamber.record.schema import Environment

PACKAGES = (
    "remamber-bench",
    "torch",
    "transformers",
    "accelerate",
    "numpy",
    "numba",
    "llvmlite",
    "scipy",
    "pandas",
    "pydantic",
    "pycocotools",
    "safetensors",
    "pillow",
    "triton",
    "mamba-ssm",
    "mambapy",
)
"""Distributions whose version is recorded where they are installed."""

_CODE = ("remamber", "experiments", "pyproject.toml")
"""What decides the numbers of a checkout; a changed report does not make it dirty."""


class Checkout(NamedTuple):
    """The commit that the package runs from; None where it is not a git checkout."""

    commit: str | None
    dirty: bool | None


def environment(
    *, device: str, threads: int, scan_backend: str, details: dict[str, str] | None = None
) -> Environment:
    """Everything a record says of where it was made. No environment variables are kept.

    Args:
        device: what the model ran on, such as ``cpu`` or ``cuda:0 NVIDIA H100``.
        threads: compute threads of the run.
        scan_backend: implementation of the selective scan that ran.
        details: anything else worth keeping, by name.
    """
    checkout = code_checkout()
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=cpu_model(),
        cores=usable_cores(),
        threads=threads,
        memory_bytes=psutil.virtual_memory().total,
        device=device,
        packages=package_versions(),
        commit=checkout.commit,
        dirty=checkout.dirty,
        scan_backend=scan_backend,
        details=details or {},
    )


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that matter, from their metadata."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def usable_cores() -> int:
    """Cores that this process may run on, which a container or a scheduler may have limited."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def cpu_model() -> str:
    """Name of the processor, from /proc/cpuinfo where there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@cache
def code_checkout(root: Path = Path(__file__).parents[2]) -> Checkout:
    """The commit of a checkout, and whether code or studies differ from it.

    Args:
        root: folder that holds the package.
    """
    if not (root / ".git").exists():
        return Checkout(None, None)
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", *_CODE)
    if commit is None:
        return Checkout(None, None)
    return Checkout(commit, None if changes is None else bool(changes))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
