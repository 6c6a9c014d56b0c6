"""The input-dependent state space model of Mamba over several directions at once.

Names are Mamba's: per direction k, [dt_low (r), B (n), C (n)] = x_proj u; dt = softplus(dt_proj
dt_low + bias); A = -exp(A_log); then the recurrence of ``remamber.ops.directional_scan``.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from remamber.ops import FOUR_WAYS, directional_scan, linear

_ROOM, _VECTOR = 1 << 25, 64
"""Elements of delta made at a time in inference on a CPU, 128 MiB; channels of a vector there."""
_DT_MIN, _DT_MAX, _DT_FLOOR = 1e-3, 1e-1, 1e-4


def initial_step_bias(like: Tensor) -> Tensor:
    """Mamba's first bias of dt: after softplus log-uniform between 1e-3 and 1e-1."""
    span = math.log(_DT_MAX) - math.log(_DT_MIN)
    dt = torch.exp(torch.rand_like(like) * span + math.log(_DT_MIN)).clamp(min=_DT_FLOOR)
    return dt + torch.log(-torch.expm1(-dt))


def full_precision(x: Tensor) -> Tensor:
    """The values in float32, or as they are in float64: what a scan's own parameters run in."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Projections(NamedTuple):
    """What the input decides about the scan at every position, for every direction.

    Attributes:
        delta: step sizes before bias and softplus, ``b k h w d``, in memory ``k b h w d``.
        B: input matrices, ``b k h w n``.
        C: output matrices, ``b k h w n``.
    """

    delta: Float[Tensor, "b k h w d"]
    B: Float[Tensor, "b k h w n"]
    C: Float[Tensor, "b k h w n"]


class SelectiveSSM(nn.Module):
    """Selective scan of an image in k directions, each with its own parameters.

    Parameter names and shapes are the release's: x_proj_weight (k, r+2n, d), dt_projs_weight
    (k, d, r), dt_projs_bias (k, d), A_logs (k d, n), Ds (k d).

    Args:
        d_inner: channels of a sequence.
        dt_rank: rank r of the projection that makes dt.
        d_state: state size n.
        directions: the k orders in which the image is read, see ``directional_scan``.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        d_inner: int,
        *,
        dt_rank: int,
        d_state: int = 1,
        directions: Sequence[int] = FOUR_WAYS,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.dt_rank, self.d_state, self.directions = dt_rank, d_state, tuple(directions)
        self.backend = backend
        k, d, r, n = len(self.directions), d_inner, dt_rank, d_state
        self.x_proj_weight = nn.Parameter(torch.empty(k, r + 2 * n, d))
        self.dt_projs_weight = nn.Parameter(torch.empty(k, d, r))
        self.dt_projs_bias = nn.Parameter(torch.empty(k, d))
        self.A_logs = nn.Parameter(torch.log(torch.arange(1.0, n + 1)).repeat(k * d, 1))
        self.Ds = nn.Parameter(torch.ones(k * d))
        self.reset_projections()

    def reset_projections(self) -> None:
        """Mamba's initialisation: dt between 1e-3 and 1e-1, log-uniform, before softplus.

        At least SS2D's four sets are drawn, also where fewer are kept: so what is drawn after
        them does not depend on the number of directions.
        """
        k, d, r = self.dt_projs_weight.shape
        drawn = max(k, len(FOUR_WAYS))
        weight = self.x_proj_weight
        if weight.is_meta:  # Nothing to fill, and its random functions take long to say so.
            return
        with torch.no_grad():
            x_proj = weight.new_empty(drawn, weight.shape[1], d).uniform_(-1, 1)
            dt_projs = weight.new_empty(drawn, d, r).uniform_(-1, 1)
            step_bias = initial_step_bias(weight.new_empty(drawn, d))
            self.x_proj_weight.copy_(x_proj[:k] * d**-0.5)
            self.dt_projs_weight.copy_(dt_projs[:k] * r**-0.5)
            self.dt_projs_bias.copy_(step_bias[:k])

    def project(self, u: Float[Tensor, "b h w d"]) -> Projections:
        """delta, B and C of every direction at every position.

        The image is read once for all directions, and nothing is laid out: each tensor is what
        a matrix product leaves behind, or a slice of it.
        """
        low, B, C = self._low_rank(u)
        return Projections(self._steps(u, low, slice(None)), B, C)

    def _low_rank(self, u: Float[Tensor, "b h w d"]) -> tuple[Tensor, Tensor, Tensor]:
        """What delta is made of, (k, b h w, r), and B and C as in ``Projections``."""
        b, h, w, _ = u.shape
        k, r, n = len(self.directions), self.dt_rank, self.d_state
        projected = linear(u, self.x_proj_weight.flatten(0, 1)).view(b, h, w, k, r + 2 * n)
        low, B, C = torch.split(projected, [r, n, n], dim=4)
        low = low.flatten(0, 2).transpose(0, 1)
        return low, B.permute(0, 3, 1, 2, 4), C.permute(0, 3, 1, 2, 4)

    def _steps(
        self, u: Float[Tensor, "b h w d"], low: Float[Tensor, "k bhw r"], channels: slice
    ) -> Float[Tensor, "b k h w e"]:
        """Step sizes of some channels."""
        weight = self.dt_projs_weight[:, channels].transpose(1, 2)
        delta = torch.bmm(low, weight).view(len(self.directions), *u.shape[:3], -1)
        return delta.transpose(0, 1)

    def forward(self, u: Float[Tensor, "b h w d"]) -> Float[Tensor, "b h w d"]:
        """Scan a channels-last image and sum over the directions.

        The state would overflow in half precision, so only the projections run in it: the
        output is float32 under mixed precision too.
        """
        low, B, C = self._low_rank(u)
        k, d, n = len(self.directions), u.shape[3], self.d_state
        A = -torch.exp(full_precision(self.A_logs)).view(k, d, n)
        skip = full_precision(self.Ds).view(k, d)
        bias = full_precision(self.dt_projs_bias)

        def scanned(channels: slice) -> Tensor:
            return directional_scan(
                u[..., channels],
                self._steps(u, low, channels),
                A[:, channels].reshape(-1, n),
                B,
                C,
                skip[:, channels].reshape(-1),
                bias[:, channels].reshape(-1),
                True,
                directions=self.directions,
                backend=self.backend,
            )

        step = self._channels_at_a_time(u)
        if step >= d:
            return scanned(slice(None))
        y = torch.empty_like(u, dtype=torch.promote_types(u.dtype, torch.float32))
        for first in range(0, d, step):
            channels = slice(first, first + step)
            y[..., channels] = scanned(channels)
        return y

    def _channels_at_a_time(self, u: Float[Tensor, "b h w d"]) -> int:
        """All, or fewer where delta, as large as u for every direction, is the largest map.

        Channels are scanned each on its own. In training delta is kept for the gradient anyway.
        """
        width, deltas = u.shape[3], len(self.directions) * u.numel()
        if torch.is_grad_enabled() or u.device.type != "cpu" or torch.compiler.is_compiling():
            return width
        blocks = -(-deltas // _ROOM)
        return -(-width // (blocks * _VECTOR)) * _VECTOR
