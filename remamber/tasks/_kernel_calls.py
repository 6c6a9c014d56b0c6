"""Implementations made ready to be called: forward alone, or forward and backward together.

A call takes no arguments and returns its results; everything that is not to be timed, such as
another memory layout of the arguments, is done before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from remamber.ops import describe_backends, directional_scan, selective_scan
from remamber.ops._directional_composed import composed_backward, composed_forward
from remamber.ops._directional_contract import DirectionalInputs
from remamber.ops.backends import load_backend
from remamber.tasks._kernel_costs import Op, Pass
from remamber.tasks._kernel_peers import Peer, peers
from remamber.tasks._kernel_problem import Problem

Results: TypeAlias = tuple[Tensor, ...]
Call: TypeAlias = Callable[[], Results]
GRADIENTS = ("du", "ddelta", "dA", "dB", "dC", "dD", "ddelta_bias")
"""Results of a training call after y."""
COMPOSED = "composed"


@dataclass(frozen=True)
class Implementation:
    """One way to compute one of the ops.

    Attributes:
        op: ``scan`` of sequences or ``ss2d``, the scan of an image in its directions.
        name: as in reports.
        ready: (problem, pass) -> the call.
        absent: why it cannot run here, None if it can.
        steps_first: its results are (b, l, d) and (b, l, g, n).
    """

    op: Op
    name: str
    ready: Callable[[Problem, Pass], Call] = field(repr=False)
    absent: str | None = None
    steps_first: bool = False


def implementations(problem: Problem) -> list[Implementation]:
    """Every backend and every peer, those that cannot run on the problem's device too."""
    device = problem.device
    found: list[Implementation] = []
    for backend in describe_backends():
        absent = why_absent(backend.name, device)
        found.append(Implementation("scan", backend.name, _scan_call(backend.name), absent))
    for name, peer in peers().items():
        ready = _peer_call(peer)
        found.append(Implementation("scan", name, ready, peer.absent, peer.steps_first))
    if problem.shape.image:
        for backend in describe_backends():
            if backend.name == "reference":
                continue
            absent = why_absent(backend.name, device)
            composed = f"{COMPOSED} {backend.name}"
            found.append(Implementation("ss2d", composed, _composed_call(backend.name), absent))
            if absent is None and not hasattr(load_backend(backend.name), "directional_forward"):
                absent = "no fused form"
            fused = f"fused {backend.name}"
            found.append(Implementation("ss2d", fused, _fused_call(backend.name), absent))
    return found


def why_absent(name: str, device: torch.device) -> str | None:
    """Why a backend cannot be timed on a device, None if it can."""
    backend = load_backend(name)
    for_gpu = name != "reference" and backend.takes(torch.device("cuda"), torch.float32)
    if device.type == "cpu" and for_gpu:
        # It may run under an interpreter, but such times would mean nothing.
        return "no CUDA"
    if not backend.takes(device, torch.float32):
        return f"not on {device.type}"
    found = backend.probe()
    return None if found.available else _short(found.detail)


def _short(detail: str) -> str:
    return detail.split(":", 1)[0].split(";", 1)[0][:60]


def _scan_call(backend: str) -> Callable[[Problem, Pass], Call]:
    return _peer_call(Peer(partial(selective_scan, delta_softplus=True, backend=backend)))


def _peer_call(peer: Peer) -> Callable[[Problem, Pass], Call]:
    def ready(problem: Problem, which: Pass) -> Call:
        given = dict(problem.sequences)
        dy = problem.sequences_dy
        if peer.steps_first:
            given |= {n: given[n].mT.contiguous() for n in ("u", "delta")}
            given |= {n: given[n].permute(0, 3, 1, 2).contiguous() for n in ("B", "C")}
            dy = dy.mT.contiguous()
        return _differentiated(peer.function, given, dy, which)

    return ready


def _fused_call(backend: str) -> Callable[[Problem, Pass], Call]:
    def ready(problem: Problem, which: Pass) -> Call:
        def scan(**given: Tensor) -> Tensor:
            return directional_scan(
                **given,
                delta_softplus=True,
                directions=problem.shape.directions,
                backend=backend,
            )

        return _differentiated(scan, dict(problem.image), problem.image_dy, which)

    return ready


def _composed_call(name: str) -> Callable[[Problem, Pass], Call]:
    """Cross scan, this backend's scan, cross merge, and their gradients, without autograd."""

    def ready(problem: Problem, which: Pass) -> Call:
        backend: Any = load_backend(name)
        inputs = DirectionalInputs(
            **problem.image, delta_softplus=True, directions=problem.shape.directions
        )
        dy = problem.image_dy

        def forward() -> Results:
            return (composed_forward(backend, inputs)[0],)

        def training() -> Results:
            y, states = composed_forward(backend, inputs)
            return (y, *composed_backward(backend, inputs, states=states, dy=dy))

        return forward if which == "forward" else training

    return ready


def _differentiated(
    function: Callable[..., Tensor], given: dict[str, Tensor], dy: Tensor, which: Pass
) -> Call:
    leaves = {n: t.detach().requires_grad_() for n, t in given.items()}

    def forward() -> Results:
        with torch.inference_mode():
            return (function(**given),)

    def training() -> Results:
        y = function(**leaves)
        return (y.detach(), *torch.autograd.grad(y, list(leaves.values()), dy))

    return forward if which == "forward" else training
