"""Mamba's own block, which as a channel scan reads the channels once, in one direction.

The variant beside the release's ``GatedScan``; Gu and Dao 2023, Sec. 3.4 and Fig. 3.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from remamber.layers.linear import Linear
from remamber.layers.ssm import full_precision, initial_step_bias
from remamber.ops import causal_conv1d, selective_scan


class MambaBlock(nn.Module):
    """in_proj to x and z, causal convolution, SiLU, selective scan gated by z, out_proj.

    Parameter names and shapes are mamba-ssm's, so that its weights load: in_proj.weight
    (2d, p), conv1d.weight (d, 1, width), conv1d.bias (d), x_proj.weight (r+2n, d),
    dt_proj.weight (d, r), dt_proj.bias (d), A_log (d, n), D (d), out_proj.weight (p, d);
    d = 2p, r = p/16 rounded up. As a channel scan they stand under ``scan.``.

    Step t sees steps 0 to t only: a channel takes from the channels before it in the cube,
    so from image to text features but not back, where ``GatedScan`` reads both ways.

    Args:
        features: p, features of a step.
        d_state: state size n, 16 as in Mamba.
        width: steps that the convolution spans.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self, features: int, *, d_state: int = 16, width: int = 4, backend: str = "auto"
    ) -> None:
        super().__init__()
        d_inner, self.dt_rank = 2 * features, math.ceil(features / 16)
        self.d_state, self.backend = d_state, backend
        self.in_proj = Linear(features, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, width, groups=d_inner)
        self.x_proj = Linear(d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = Linear(self.dt_rank, d_inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, d_state + 1)).repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = Linear(d_inner, features, bias=False)
        bound = self.dt_rank**-0.5
        nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        with torch.no_grad():
            self.dt_proj.bias.copy_(initial_step_bias(self.dt_proj.bias))

    def forward(self, steps: Float[Tensor, "b l p"]) -> Float[Tensor, "b l p"]:
        """Scan ``l`` steps of ``p`` features, first to last."""
        x, z = self.in_proj(steps).transpose(1, 2).chunk(2, dim=1)
        kernel = self.conv1d.weight.squeeze(1)
        x = causal_conv1d(x, kernel, self.conv1d.bias, activation="silu")
        projected = self.x_proj(x.transpose(1, 2))
        low, B, C = projected.split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        y = selective_scan(
            x,
            torch.matmul(self.dt_proj.weight, low.transpose(1, 2)),
            -torch.exp(full_precision(self.A_log)),
            B.transpose(1, 2),
            C.transpose(1, 2),
            full_precision(self.D),
            z,
            full_precision(self.dt_proj.bias),
            delta_softplus=True,
            backend=self.backend,
        )
        scanned: Tensor = self.out_proj(y.transpose(1, 2))
        return scanned
