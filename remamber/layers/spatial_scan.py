"""SS2D, the spatial scan: a selective scan of an image in four directions (paper 3.4, VMamba)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.ssm import SelectiveSSM
from remamber.ops import FOUR_WAYS


class SpatialScan(nn.Module):
    """SS2D "v4noz": in-projection, depthwise 3x3, SiLU, four-way scan, norm, out-projection.

    The sequences are row-major, column-major and the reverses of both; their outputs are
    summed. No gate. Fewer directions are a variant beside the release's.

    Args:
        in_channels: channels read; 3C for the Twister's cube, C in a VSS block.
        out_channels: C. The inner width is 2C and dt_rank is C/16, rounded up.
        d_state: state size n, 1 in the release.
        directions: the orders in which the image is read, see ``directional_scan``.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        d_state: int = 1,
        directions: Sequence[int] = FOUR_WAYS,
        backend: str = "auto",
    ) -> None:
        d_inner = 2 * out_channels
        dt_rank = math.ceil(out_channels / 16)
        super().__init__()
        self.ssm: nn.Module = SelectiveSSM(
            d_inner, dt_rank=dt_rank, d_state=d_state, directions=directions, backend=backend
        )
        self.in_proj = Linear(in_channels, d_inner, bias=False)
        self.conv2d = nn.Conv2d(d_inner, d_inner, 3, padding=1, groups=d_inner, bias=False)
        self.out_norm = LayerNorm2d(d_inner)
        self.out_proj = Linear(d_inner, out_channels, bias=False)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b c h w"]:
        """Mix positions along the directions: ``b in_channels h w -> b out_channels h w``."""
        mixed = self.conv2d(pointwise(self.in_proj, x))
        inner = F.silu(mixed, inplace=not torch.is_grad_enabled())
        y = self.ssm(inner.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return pointwise(self.out_proj, self.out_norm(y).to(x.dtype))


def pointwise(linear: nn.Linear, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
    """A 1x1 convolution as the linear map of each pixel, which is one matrix product."""
    projected: Tensor = linear(x.permute(0, 2, 3, 1))
    return projected.permute(0, 3, 1, 2)
