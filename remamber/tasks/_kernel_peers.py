"""Scans of other projects, in Python: what is timed beside ours, each as it would be called.

Every entry takes Mamba's arguments and gives y; what it is timed on is said in its docstring.
None is part of this package's dependencies; what cannot be imported is left out with the reason.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from remamber.ops import reference
from remamber.ops._contract import ScanInputs

ScanFunction = Callable[..., Tensor]


class Peer(NamedTuple):
    """A scan in torch that autograd differentiates.

    Attributes:
        function: keyword arguments u, delta, A, B, C, D, delta_bias -> y.
        absent: why it is not here, None if it is.
        steps_first: takes u and delta as (b, l, d), B and C as (b, l, g, n).
    """

    function: ScanFunction
    absent: str | None = None
    steps_first: bool = False


def peers() -> dict[str, Peer]:
    """All peers by name, whether or not they can be imported here."""
    return {
        "loop": Peer(loop),
        "mambapy": Peer(mambapy_scan, _missing("mambapy.pscan", "pscan"), steps_first=True),
        "transformers": Peer(
            transformers_scan,
            _missing("transformers.models.mamba.modeling_mamba", "mamba_selective_scan"),
        ),
        "mamba-ssm-ref": Peer(
            mamba_reference_scan,
            _missing("mamba_ssm.ops.selective_scan_interface", "selective_scan_ref"),
        ),
    }


def loop(**given: Tensor) -> Tensor:
    """The step-by-step scan with autograd recording every step: what every project falls back to.

    Our reference's forward pass without its written backward pass.
    """
    y, _ = reference.forward(ScanInputs(**given, delta_softplus=True))
    return y


def mambapy_scan(**given: Tensor) -> Tensor:
    """Mambapy's ``pscan`` (Blelloch's scan in torch, own backward) with all that it needs.

    Timed: softplus, the discretisation of A and B into two (b, l, d, n) tensors, pscan, and the
    output, as mambapy's own block does it. Its layout is (b, l, d); the arguments are handed over
    in it. It has no groups: B and C are spread over their group's channels by broadcasting.
    """
    u, matrix = given["u"], given["C"]
    b, length, groups, n = matrix.shape
    delta = F.softplus(given["delta"] + given["delta_bias"])
    decay = torch.exp(delta.unsqueeze(-1) * given["A"])
    driven = (delta * u).view(b, length, groups, -1, 1) * given["B"].unsqueeze(3)
    states = _pscan()(decay, driven.flatten(2, 3)).view(driven.shape)
    if n == 1:
        y = (states * matrix.unsqueeze(3)).squeeze(-1)
    else:
        y = (states @ matrix.unsqueeze(-1)).squeeze(-1)
    return y.flatten(2, 3) + given["D"] * u


def transformers_scan(**given: Tensor) -> Tensor:
    """The scan of transformers' slow path for Mamba (``mamba_selective_scan`` of 5.x), torch only.

    Timed: softplus, discretisation, its loop over the steps and the output, without the rest of
    the mixer. It has no groups, so it is called once for each, as a user would have to.
    """
    function: Any = import_module("transformers.models.mamba.modeling_mamba").mamba_selective_scan
    # Where mamba-ssm is installed the wrapper would call its kernel instead.
    function = getattr(function, "__wrapped__", function)
    groups = given["B"].shape[1]
    split = {n: given[n].chunk(groups, 1) for n in ("u", "delta")}
    split |= {n: given[n].chunk(groups, 0) for n in ("A", "D", "delta_bias")}
    parts = []
    for i in range(groups):
        mine = {name: tensors[i] for name, tensors in split.items()}
        scanned = function(
            mine["u"],
            mine["delta"],
            mine["A"],
            given["B"][:, i],
            given["C"][:, i],
            D=mine["D"],
            delta_bias=mine["delta_bias"],
            delta_softplus=True,
        )
        parts.append(scanned[0] if isinstance(scanned, tuple) else scanned)
    return torch.cat(parts, 1)


def mamba_reference_scan(**given: Tensor) -> Tensor:
    """mamba-ssm's own ``selective_scan_ref``: its tests' oracle, a loop over einsums."""
    function: Any = import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_ref
    y: Tensor = function(**given, delta_softplus=True)
    return y


def _pscan() -> ScanFunction:
    function: ScanFunction = import_module("mambapy.pscan").pscan
    return function


def _missing(module: str, name: str) -> str | None:
    """Why a function cannot be used, None if it can."""
    package = module.split(".", 1)[0].replace("_", "-")
    try:
        found = hasattr(import_module(module), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").replace("_", "-")
        return f"{package} not installed" if missing == package else f"{missing} not installed"
    except Exception as error:  # noqa: BLE001 - another package's import may raise anything
        return f"{package} does not import: {type(error).__name__}"
    return None if found else f"{package} has no {name}"
