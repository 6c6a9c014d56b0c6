"""Which implementations of the selective scan there are, and which one a call gets."""

import difflib
import importlib
from functools import cache
from typing import cast

import torch

from remamber.errors import ExitCode, UserError
from remamber.ops import _birth  # noqa: F401  (remembers the process, long before a scan)
from remamber.ops._contract import Backend, ScanBackend

AUTO = "auto"
_MODULES = {
    "triton": "remamber.ops.triton",
    "mamba-ssm": "remamber.ops.mamba_ssm",
    "cpu": "remamber.ops.cpu",
    "reference": "remamber.ops.reference",
}
"""Fastest first: ``auto`` takes the first that is available and takes the tensors."""


def backend_names() -> tuple[str, ...]:
    """Every implementation by name, whether or not it can run here."""
    return tuple(_MODULES)


def describe_backends() -> list[Backend]:
    """Every implementation, whether it can run here, and how or why not."""
    return [probe_backend(name) for name in _MODULES]


def available_backends() -> tuple[str, ...]:
    """The implementations that can run here, fastest first."""
    return tuple(b.name for b in describe_backends() if b.available)


def resolve_backend(
    name: str = AUTO,
    device: torch.device | str = "cpu",
    *,
    dtype: torch.dtype = torch.float32,
) -> str:
    """The implementation that a scan on this device in this dtype runs with.

    Raises:
        UserError: the name is unknown, or what it names cannot run here or on such tensors.
    """
    device = torch.device(device)
    if name == AUTO:
        return next(n for n in _MODULES if _serves(n, device, dtype))
    check_backend_name(name)
    found = probe_backend(name)
    if not found.available:
        raise _unusable(f"the scan backend '{name}' cannot run here: {found.detail}")
    if not load_backend(name).takes(device, dtype):
        raise _unusable(f"the scan backend '{name}' does not compute {dtype} on {device.type}")
    return name


def check_backend_name(name: str) -> None:
    """Raise a UserError that names the nearest backend unless there is one of this name."""
    if name == AUTO or name in _MODULES:
        return
    known = (AUTO, *_MODULES)
    near = difflib.get_close_matches(name, known, 1)
    raise UserError(
        f"no scan backend is called '{name}'",
        where=[f"known: {', '.join(known)}"],
        fix=[f"--scan-backend {near[0] if near else AUTO}"],
        slug="scan_backend",
    )


@cache
def load_backend(name: str) -> ScanBackend:
    """The module of an implementation, imported on first use."""
    return cast(ScanBackend, importlib.import_module(_MODULES[name]))


@cache
def probe_backend(name: str) -> Backend:
    """What an implementation says of itself; asked once a process."""
    return load_backend(name).probe()


def _serves(name: str, device: torch.device, dtype: torch.dtype) -> bool:
    if not load_backend(name).takes(device, dtype):
        return False
    found = probe_backend(name)
    return found.available and not found.by_name_only


def _unusable(what: str) -> UserError:
    return UserError(
        what, fix=["--scan-backend auto"], exit_code=ExitCode.MISSING, slug="scan_backend"
    )
