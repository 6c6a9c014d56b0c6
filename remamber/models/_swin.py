"""Swin as the backbone: is a fusion's rank a matter of the fusion, or of Mamba under it?

Liu et al. 2021. The control that paper 3.6 lacks: it finds that attention suits a Mamba
backbone less than the Twister does, and shows no backbone of attention under either.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.spatial_scan import pointwise
from remamber.layers.vss import initialise_vmamba
from remamber.models._backbones import Backbone, drop_path_rates, vmamba_backbone
from remamber.models._sizes import Size
from remamber.ops import FOUR_WAYS

_WINDOW = 8
"""Side of a window: it divides the maps of 256 px at every stage (Swin V2's; Swin has 7)."""

_CHANNELS_A_HEAD = 32


class SwinBlocks(nn.Module):
    """One stage: attention in windows and MLP, every other block's windows shifted by half.

    The blocks are those of transformers. A map that the windows do not divide is padded with
    zeros on the right and below, which take part in the attention, as in every Swin.

    Args:
        channels: C, a multiple of 32: the heads are 32 wide.
        rates: of stochastic depth, one a block.
        window: side of a window.
    """

    def __init__(self, channels: int, *, rates: Sequence[float], window: int = _WINDOW) -> None:
        from transformers import SwinConfig
        from transformers.models.swin.modeling_swin import SwinStage

        super().__init__()
        stage = SwinStage(
            config=SwinConfig(window_size=window, attn_implementation="sdpa"),
            dim=channels,
            input_resolution=(window, window),
            depth=len(rates),
            num_heads=channels // _CHANNELS_A_HEAD,
            drop_path=list(rates),
            downsample=None,
        )
        self.layers = stage.blocks
        for module in self.layers.modules():
            if type(module) is nn.Linear:
                # Otherwise Swin alone would be left with torch's product, where that is slower.
                module.__class__ = Linear
        for layer, rate in zip(self.layers, rates, strict=True):
            # That of transformers drops the attention alone; Swin's drops the MLP too.
            if rate:
                layer.mlp.fc2 = BranchEnd(layer.mlp.fc2, drop_path=layer.drop_path)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Keep the shape of a feature map."""
        size = (x.shape[2], x.shape[3])
        tokens = x.permute(0, 2, 3, 1).flatten(1, 2)
        for layer in self.layers:
            # Otherwise a map smaller than a window would change the layer's window for good.
            tokens = layer(tokens, size, always_partition=True)[0]
        return torch.unflatten(tokens, 1, size).permute(0, 3, 1, 2)


class BranchEnd(Linear):
    """The last linear map of a residual branch, and stochastic depth after it.

    Args:
        linear: the map; its parameters are taken over under the same names.
        drop_path: without parameters.
    """

    def __init__(self, linear: nn.Linear, *, drop_path: nn.Module) -> None:
        super().__init__(linear.in_features, linear.out_features, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.drop_path = drop_path

    def forward(self, x: Float[Tensor, "b l i"]) -> Float[Tensor, "b l o"]:
        """Map every position, or in training drop whole samples."""
        branch: Tensor = self.drop_path(super().forward(x))
        return branch


class PatchMerging(nn.Module):
    """A map to half its resolution: 2 x 2 positions side by side, LayerNorm, 1x1 without bias.

    Args:
        channels: of the input.
        out_channels: of the output, twice as many in Swin.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(4 * channels)
        self.reduction = Linear(4 * channels, out_channels, bias=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        """Map ``b c h w``, of even sides, to half of them."""
        corners = [x[:, :, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return pointwise(self.reduction, self.norm(torch.cat(corners, dim=1)))


def swin_backbone(size: Size, *, directions: Sequence[int], backend: str) -> Backbone:
    """Swin of a VMamba size: the same widths, strides and depths but for the third stage's.

    Its depth is the one that brings the parameters nearest to VMamba's: 18 blocks for 15 at the
    base size, which is Swin-B. Initial values are Swin's: linear maps and position biases
    truncated normal 0.02, biases zero.

    Args:
        size: of the model.
        directions: not read: nothing is scanned.
        backend: not read.
    """
    backbone = _swin(size, _depths(size))
    initialise_swin(backbone.blocks)
    initialise_swin(backbone.downsamples)
    return backbone


def initialise_swin(module: nn.Module) -> None:
    """Swin's initial values: linear maps and position biases truncated normal, biases zero."""
    initialise_vmamba(module)
    for name, value in module.named_parameters():
        if name.endswith("relative_position_bias_table"):
            nn.init.trunc_normal_(value, std=0.02, a=-2.0, b=2.0)


def _swin(size: Size, depths: Sequence[int]) -> Backbone:
    rates = drop_path_rates(size.drop_path, depths)
    return Backbone(
        nn.Sequential(nn.Conv2d(3, size.dims[0], 4, stride=4), LayerNorm2d(size.dims[0])),
        nn.ModuleList(
            SwinBlocks(c, rates=stage) for c, stage in zip(size.dims, rates, strict=True)
        ),
        nn.ModuleList(map(PatchMerging, size.dims[:-1], size.dims[1:])),
    )


def _depths(size: Size) -> list[int]:
    first, second, _, last = size.depths
    with torch.device("meta"):
        wanted = _parameters(vmamba_backbone(size, directions=FOUR_WAYS, backend="auto"))
        one, two = (_parameters(_swin(size, (first, second, n, last))) for n in (1, 2))
    return [first, second, max(1, 1 + round((wanted - one) / (two - one))), last]


def _parameters(backbone: Backbone) -> int:
    return sum(p.numel() for part in backbone for p in part.parameters())
