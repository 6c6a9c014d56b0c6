"""LAVT's decoder: four maps of multi-modal features in, the logits of a mask out."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.rectified import rectified
from remamber.models._decoders import convolved_with_skip


class LavtDecoder(nn.Module):
    """From deep to shallow: upsample, concatenate, two 3x3 convolutions; then 1x1 to two classes.

    Args:
        dims: channels of the four maps, shallowest first.
        width: hidden channels.
    """

    def __init__(self, dims: Sequence[int], *, width: int) -> None:
        super().__init__()
        shallow, second, third, deepest = dims
        self.levels = nn.ModuleList(
            nn.Sequential(*_convolution(in_channels, width), *_convolution(width, width))
            for in_channels in (deepest + third, width + second, width + shallow)
        )
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, features: Sequence[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b 1 h w"]:
        """Logits at the resolution of the shallowest map: the target's less the background's.

        Their sigmoid is the softmax of the two, and above 0 is where the target wins.
        """
        *skips, x = features
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            layers = list(level.children())
            x = rectified(layers[:3], partial(_joined, x, skip))
            x = rectified(layers[3:], partial(F.conv2d, x, padding=1))
        classes: Tensor = self.head(x)
        return classes[:, 1:] - classes[:, :1]


def _joined(
    x: Float[Tensor, "b c h w"],
    skip: Float[Tensor, "b e h2 w2"],
    weight: Float[Tensor, "o ce 3 3"],
    bias: Float[Tensor, " o"] | None,
) -> Float[Tensor, "b o h2 w2"]:
    """The 3x3 convolution of ``x``, enlarged to the other's size, and ``skip`` side by side."""
    if skip.shape[2:] == (2 * x.shape[2], 2 * x.shape[3]):
        return convolved_with_skip(x, skip, weight, bias)
    x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=True)
    return F.conv2d(torch.cat([x, skip], dim=1), weight, bias, padding=1)


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]
