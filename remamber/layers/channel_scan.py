"""The channel scan: a selective scan with the channels as the sequence (paper 3.5, S_c)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.residual import added
from remamber.layers.ssm import SelectiveSSM
from remamber.ops import TWO_WAYS


class GatedScan(nn.Module):
    """SS2D "v052d" on a sequence: gate, depthwise convolution, scan both ways, projections.

    The steps are read forward twice and backward twice with four sets of parameters. The
    depthwise 3x3 of the release runs on height one: only its middle row acts.

    Args:
        features: p, features of a step.
        d_state: state size n.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(self, features: int, *, d_state: int = 1, backend: str = "auto") -> None:
        super().__init__()
        d_inner = 2 * features
        dt_rank = math.ceil(features / 16)
        self.ssm = SelectiveSSM(
            d_inner, dt_rank=dt_rank, d_state=d_state, directions=TWO_WAYS, backend=backend
        )
        self.in_proj = Linear(features, 2 * d_inner, bias=False)
        self.conv2d = nn.Conv2d(d_inner, d_inner, 3, padding=1, groups=d_inner, bias=False)
        self.out_norm = LayerNorm2d(d_inner)
        self.out_proj = Linear(d_inner, features, bias=False)

    def forward(self, steps: Float[Tensor, "b l p"]) -> Float[Tensor, "b l p"]:
        """Scan ``l`` steps of ``p`` features."""
        inner, gate = self.in_proj(steps).chunk(2, dim=-1)
        kernel = self.conv2d.weight[:, :, 1:2]
        row = inner.transpose(1, 2).unsqueeze(2)
        mixed = F.silu(F.conv2d(row, kernel, padding=(0, 1), groups=kernel.shape[0]))
        y = self.ssm(mixed.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        normed = self.out_norm(y).squeeze(2).transpose(1, 2).to(steps.dtype)
        scanned: Tensor = self.out_proj(normed * F.silu(gate))
        return scanned


class ChannelScan(nn.Module):
    """Residual map ``x + scan(x)`` of any number of channels.

    The map is resampled to ``grid x grid`` positions, which are the features of a step; the
    channels are the steps. So the projections also mix all positions, and the parameters are
    tied to the grid, not to the number of channels.

    Args:
        grid: side of the resampled map, 16 in the release.
        scan: map of ``grid * grid`` features at any number of steps: ``GatedScan`` in the
            release, or a ``MambaBlock``.
    """

    def __init__(self, grid: int = 16, *, scan: nn.Module) -> None:
        super().__init__()
        self.grid = grid
        self.scan = scan

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Mix the channels (and, through the projections, the positions) of a map."""
        grid = (self.grid, self.grid)
        small = _resample(x, grid).flatten(2)
        scanned = self.scan(small).unflatten(2, grid)
        if x.is_contiguous(memory_format=torch.channels_last):
            # So laid out while it is small: two large maps of two layouts add up slowly.
            scanned = scanned.contiguous(memory_format=torch.channels_last)
        return added(x, _resample(scanned, (x.shape[2], x.shape[3])))


def _resample(x: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c g f"]:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
