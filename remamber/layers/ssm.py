"""The input-dependent state space model of Mamba over several directions at once.

Names are Mamba's: per direction k, [dt_low (r), B (n), C (n)] = x_proj u; dt = softplus(dt_proj
dt_low + bias); A = -exp(A_log); then the recurrence of ``remamber.ops.selective_scan``.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.ops import selective_scan

_DT_MIN, _DT_MAX, _DT_FLOOR = 1e-3, 1e-1, 1e-4


class SelectiveSSM(nn.Module):
    """Selective scan of ``k`` sequences, each direction with its own parameters.

    Parameter names and shapes are the release's: x_proj_weight (k, r+2n, d), dt_projs_weight
    (k, d, r), dt_projs_bias (k, d), A_logs (k d, n), Ds (k d).

    Args:
        d_inner: channels of a sequence.
        dt_rank: rank r of the projection that makes dt.
        d_state: state size n.
        directions: k.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        d_inner: int,
        *,
        dt_rank: int,
        d_state: int = 1,
        directions: int = 4,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.dt_rank, self.d_state, self.directions = dt_rank, d_state, directions
        self.backend = backend
        k, d, r, n = directions, d_inner, dt_rank, d_state
        self.x_proj_weight = nn.Parameter(torch.empty(k, r + 2 * n, d))
        self.dt_projs_weight = nn.Parameter(torch.empty(k, d, r))
        self.dt_projs_bias = nn.Parameter(torch.empty(k, d))
        self.A_logs = nn.Parameter(torch.log(torch.arange(1.0, n + 1)).repeat(k * d, 1))
        self.Ds = nn.Parameter(torch.ones(k * d))
        self.reset_projections()

    def reset_projections(self) -> None:
        """Mamba's initialisation: dt between 1e-3 and 1e-1, log-uniform, before softplus."""
        nn.init.uniform_(self.x_proj_weight, -1, 1)
        with torch.no_grad():
            self.x_proj_weight.mul_(self.x_proj_weight.shape[2] ** -0.5)
            nn.init.uniform_(self.dt_projs_weight, -1, 1)
            self.dt_projs_weight.mul_(self.dt_rank**-0.5)
            span = math.log(_DT_MAX) - math.log(_DT_MIN)
            dt = torch.exp(torch.rand_like(self.dt_projs_bias) * span + math.log(_DT_MIN))
            dt = dt.clamp(min=_DT_FLOOR)
            self.dt_projs_bias.copy_(dt + torch.log(-torch.expm1(-dt)))

    def project(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b k c h w"]:
        """[dt_low, B, C] of every direction at every position, c = r + 2n.

        Projecting before the image is laid out k times is the same map and reads it once.
        """
        weight = self.x_proj_weight.flatten(0, 1)
        projected = F.linear(x.permute(0, 2, 3, 1), weight).permute(0, 3, 1, 2)
        b, _, h, w = projected.shape
        return projected.reshape(b, self.directions, -1, h, w)

    def forward(
        self, u: Float[Tensor, "b k d l"], projected: Float[Tensor, "b k c l"]
    ) -> Float[Tensor, "b k d l"]:
        """Scan ``k`` sequences; the output is float32 under mixed precision too.

        The state would overflow in half precision, so only the projections run in it.

        Args:
            u: the sequences.
            projected: ``project`` of the same image, laid out the same way.
        """
        b, k, d, length = u.shape
        n = self.d_state
        low, B, C = torch.split(projected, [self.dt_rank, n, n], dim=2)
        delta = torch.matmul(self.dt_projs_weight, low)
        y = selective_scan(
            u.reshape(b, k * d, length),
            delta.reshape(b, k * d, length),
            -torch.exp(self.A_logs.float()),
            B,
            C,
            self.Ds.float(),
            delta_bias=self.dt_projs_bias.float().reshape(-1),
            delta_softplus=True,
            backend=self.backend,
        )
        return y.view(b, k, d, length)
