"""The selective SSM of a sequence with a text in front of it, read both ways."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from remamber.layers.ssm import SelectiveSSM, full_precision
from remamber.ops import directional_scan
from remamber.ops.cross_scan import BACKWARD


class PrefixedScan(NamedTuple):
    """Outputs of a scan at the positions of the prefix and at those of the sequence."""

    prefix: Float[Tensor, "b t d"]
    sequence: Float[Tensor, "b l d"]


class PrefixSSM(SelectiveSSM):
    """SelectiveSSM that reads ``[prefix; sequence]`` and ``[prefix; reversed sequence]``.

    The prefix is read forward both times, so that each way enters the sequence in a state that
    holds the prefix. Laid out once, as ``[prefix; sequence; reversed prefix]``, which the one
    way reads from the start and the other from the end; what a way says behind the sequence is
    left out, so nothing of the sequence enters the prefix. Or, without ``first_in_all``, laid out
    as ``[prefix; sequence]``, so that the way from the end reads the prefix last.

    Args:
        d_inner: channels of the sequence.
        dt_rank: rank of the projection that makes dt.
        directions: the ways, 0 from the start and ``BACKWARD`` from the end.
        first_in_all: whether every way reads the prefix first.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        d_inner: int,
        *,
        dt_rank: int,
        directions: Sequence[int] = (0, BACKWARD),
        first_in_all: bool = True,
        backend: str = "auto",
    ) -> None:
        super().__init__(d_inner, dt_rank=dt_rank, directions=directions, backend=backend)
        self.first_in_all = first_in_all

    def scan(
        self, prefix: Float[Tensor, "b t d"], sequence: Float[Tensor, "b l d"]
    ) -> PrefixedScan:
        """Scan and sum over the ways, in float32 under mixed precision too.

        A prefix whose first steps are zero gives the same as one without those steps: neither
        the state nor the output leaves zero before the first step that is not.
        """
        t, end = prefix.shape[1], prefix.shape[1] + sequence.shape[1]
        if not self.first_in_all:
            y = self._read(torch.cat([prefix, sequence], dim=1))
            return PrefixedScan(y[:, :t], y[:, t:])
        speaks = sequence.new_ones(len(self.directions), end + t, dtype=torch.float32)
        for i, way in enumerate(self.directions):
            speaks[i, slice(t) if way else slice(end, None)] = 0.0
        y = self._read(torch.cat([prefix, sequence, prefix.flip(1)], dim=1), speaks)
        # Either end holds one way's output, if there is that way, and the skip connections of all.
        twice = prefix * full_precision(self.Ds).view(len(self.directions), -1).sum(0)
        return PrefixedScan(y[:, :t] + y[:, end:].flip(1) - twice, y[:, t:end])

    def _read(
        self, sequence: Float[Tensor, "b l d"], speaks: Float[Tensor, "k l"] | None = None
    ) -> Float[Tensor, "b l d"]:
        """The sum over the ways; where one does not speak, only its skip connection is left."""
        u = sequence.unsqueeze(1)
        delta, matrix_in, matrix_out = self.project(u)
        if speaks is not None:
            matrix_out = matrix_out * speaks.to(matrix_out.dtype)[:, None, :, None]
        return directional_scan(
            u,
            delta,
            -torch.exp(full_precision(self.A_logs)),
            matrix_in,
            matrix_out,
            full_precision(self.Ds),
            full_precision(self.dt_projs_bias).reshape(-1),
            True,
            directions=self.directions,
            backend=self.backend,
        ).squeeze(1)
