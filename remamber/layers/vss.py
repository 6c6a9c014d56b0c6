"""The VSS block of VMamba: norm, SS2D and norm, MLP, each with a residual (paper 3.4)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.spatial_scan import SpatialScan, pointwise
from remamber.ops import FOUR_WAYS


class DropPath(nn.Module):
    """Stochastic depth: in training a sample's branch is dropped with probability ``rate``."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Zero whole samples and rescale the rest, so that the mean stays."""
        if self.rate == 0.0 or not self.training:
            return branch
        keep = 1.0 - self.rate
        mask = branch.new_empty(branch.shape[0], 1, 1, 1).bernoulli_(keep)
        return branch * (mask / keep)


class Mlp(nn.Module):
    """C -> 4C -> C at each pixel with GELU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = Linear(channels, 4 * channels)
        self.fc2 = Linear(4 * channels, channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Map each pixel's channels."""
        inner = pointwise(self.fc1, x)
        # The widest map of a block: in inference it is written over.
        inner = F.gelu(inner) if torch.is_grad_enabled() else torch.ops.aten.gelu_(inner)
        return pointwise(self.fc2, inner)


class VSSBlock(nn.Module):
    """``x + SS2D(LN(x))``, then ``x + MLP(LN(x))``; both branches under stochastic depth.

    Args:
        channels: C.
        drop_path: rate of stochastic depth.
        directions: the orders in which SS2D reads the image.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        channels: int,
        *,
        drop_path: float = 0.0,
        directions: Sequence[int] = FOUR_WAYS,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.op = SpatialScan(channels, channels, directions=directions, backend=backend)
        self.norm2 = LayerNorm2d(channels)
        self.mlp = Mlp(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Keep the shape of a feature map."""
        x = x + self.drop_path(self.op(self.norm(x)))
        result: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return result


@torch.no_grad()
def initialise_vmamba(module: nn.Module) -> None:
    """VMamba's own initialisation of linear layers: truncated normal 0.02, zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02, a=-2.0, b=2.0)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
