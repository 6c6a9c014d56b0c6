"""SS2D around Mamba-2's state space model, a variant beside the release's selective one.

Dao and Gu 2024: the state decays by one number a head, not one a channel and state, which pays
for a larger state.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.spatial_scan import SpatialScan
from remamber.layers.ssm import initial_step_bias
from remamber.ops import FOUR_WAYS, linear, ssd_scan
from remamber.ops.cross_scan import cross_merge, cross_scan, cross_scan_each

_WIDEST_HEAD = 64
_SLOWEST, _FASTEST = 1.0, 16.0


class DualSSM(nn.Module):
    """Mamba-2's state space model of an image in k directions, each with its own parameters.

    x_proj_weight (k, m+2n, d) makes dt, B and C; dt = softplus(dt + dt_bias), dt_bias (k, m);
    A = -exp(A_logs), (k, m); skip connections Ds (k, m). Initial values are Mamba-2's: dt
    log-uniform between 1e-3 and 1e-1, -A uniform between 1 and 16, D = 1.

    Args:
        d_inner: channels of a sequence. Heads are as wide as 64 and this have as their
            greatest common divisor.
        d_state: state size n of each channel.
        directions: the k orders in which the image is read, see ``directional_scan``.
    """

    def __init__(
        self, d_inner: int, *, d_state: int = 16, directions: Sequence[int] = FOUR_WAYS
    ) -> None:
        super().__init__()
        self.d_state, self.directions = d_state, tuple(directions)
        self.head_width = math.gcd(d_inner, _WIDEST_HEAD)
        k, m = len(self.directions), d_inner // self.head_width
        self.x_proj_weight = nn.Parameter(torch.empty(k, m + 2 * d_state, d_inner))
        self.dt_bias = nn.Parameter(torch.empty(k, m))
        self.A_logs = nn.Parameter(torch.empty(k, m))
        self.Ds = nn.Parameter(torch.ones(k, m))
        bound = d_inner**-0.5
        with torch.no_grad():
            self.x_proj_weight.uniform_(-bound, bound)
            self.dt_bias.copy_(initial_step_bias(self.dt_bias))
            self.A_logs.uniform_(_SLOWEST, _FASTEST).log_()

    def forward(self, u: Float[Tensor, "b h w d"]) -> Float[Tensor, "b h w d"]:
        """Scan a channels-last image and sum over the directions.

        Under mixed precision only the projection runs in half precision; the output is float32.
        """
        k, m, n = len(self.directions), self.dt_bias.shape[1], self.d_state
        projected = torch.unflatten(linear(u, self.x_proj_weight.flatten(0, 1)), 3, (k, -1))
        dtype = torch.promote_types(u.dtype, torch.float32)
        with torch.autocast(u.device.type, enabled=False):
            each = projected.permute(0, 3, 1, 2, 4).to(dtype)
            dt, B, C = torch.split(cross_scan_each(each, self.directions).mT, [m, n, n], dim=3)
            heads = cross_scan(u.to(dtype), self.directions).mT
            y = ssd_scan(
                torch.unflatten(heads, 3, (m, self.head_width)),
                F.softplus(dt + self.dt_bias.to(dtype).unsqueeze(1)),
                -torch.exp(self.A_logs.to(dtype)),
                B,
                C,
            )
            merged = cross_merge(y.flatten(3).mT, self.directions, height=u.shape[1])
            skip = self.Ds.to(dtype).sum(0).repeat_interleave(self.head_width)
            return merged + skip * u.to(dtype)


def dual_spatial_scan(
    in_channels: int,
    out_channels: int,
    *,
    d_state: int = 16,
    directions: Sequence[int] = FOUR_WAYS,
    backend: str = "auto",
) -> SpatialScan:
    """SS2D with a ``DualSSM`` in the place of the selective SSM, all else as it is.

    Built around the selective one, which is then replaced: so projections, convolution and norm
    start as they do there, for one seed. State names are ``SpatialScan``'s, the five under
    ``ssm`` being ``DualSSM``'s four.

    Args:
        in_channels: channels read.
        out_channels: C; the inner width is 2C.
        d_state: state size n.
        directions: the orders in which the image is read.
        backend: not read: there is one implementation, in plain torch.
    """
    scan = SpatialScan(in_channels, out_channels, directions=directions, backend=backend)
    scan.ssm = DualSSM(2 * out_channels, d_state=d_state, directions=directions)
    return scan
