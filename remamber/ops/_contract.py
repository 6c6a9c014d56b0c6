"""What every implementation of the selective scan is given and gives back."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

CHUNK = 128
"""Steps between two stored states; part of the op's shape, so the same for every backend."""


class ScanInputs(NamedTuple):
    """The op's arguments after checks, B and C with their group axis.

    Shapes: u, delta (b, d, l); A (d, n); B, C (b, g, n, l); D, delta_bias (d) or None.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    delta_bias: Tensor | None
    delta_softplus: bool

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """The sizes b, d, l, n, g."""
        b, d, l = self.u.shape  # noqa: E741
        return b, d, l, self.A.shape[1], self.B.shape[1]


class ScanGradients(NamedTuple):
    """The loss's derivative by each tensor argument, in that argument's shape and dtype.

    Where D or delta_bias was None its place holds an empty tensor.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    delta_bias: Tensor


class Backend(NamedTuple):
    """One implementation and whether it can run here; ``detail`` is a phrase for ``doctor``.

    ``by_name_only``: it runs, but ``auto`` is never to take it.
    """

    name: str
    available: bool
    detail: str
    by_name_only: bool = False


class ScanBackend(Protocol):
    """The module of one implementation; a new one joins by being listed in ``backends``."""

    def probe(self) -> Backend:
        """Say whether this implementation can run here, and how or why not; never raises."""

    def takes(self, device: torch.device, dtype: torch.dtype) -> bool:
        """Whether it computes tensors of this kind."""

    def forward(self, inputs: ScanInputs) -> tuple[Tensor, Tensor]:
        """Return y (b, d, l) in u's dtype and the states (b, d, ceil(l / CHUNK), n)."""

    def backward(
        self, inputs: ScanInputs, *, states: Tensor, dy: Tensor, dstates: Tensor | None
    ) -> ScanGradients:
        """Return the gradients, given what ``forward`` returned and the gradients of it."""


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype a scan of inputs of this dtype computes in: float32, or float64 for float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def state_count(length: int) -> int:
    """How many states are stored for a sequence: one at the end of every chunk."""
    return -(-length // CHUNK)
