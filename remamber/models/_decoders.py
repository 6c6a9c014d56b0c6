"""Decoders: four fused feature maps in, the logits of the mask out (paper 3.7, 0.B.1)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.models._text import TextFeatures
from remamber.ops import linear


class Mixer(nn.Sequential):
    """1x1, depthwise 3x3, 1x1, each with BatchNorm; Hardswish between them, no residual."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 1, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Hardswish(),
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Hardswish(),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        for part in self:
            if isinstance(part, nn.Conv2d):
                fan_out = part.kernel_size[0] ** 2 * part.out_channels // part.groups
                nn.init.normal_(part.weight, std=(2.0 / fan_out) ** 0.5)


class ConvDecoder(nn.Module):
    """The convolutional decoder: three mixers from deep to shallow, then three convolutions.

    Differs from the paper's "residual blocks" as the release does: no mixer has a residual.

    Args:
        dims: channels of the four maps, shallowest first.
        width: hidden channels, 4 x dims[0] in the release.
    """

    def __init__(self, dims: Sequence[int], *, width: int) -> None:
        super().__init__()
        self.mixers = nn.ModuleList(
            [
                Mixer(dims[3], width),
                Mixer(width + dims[2], width),
                Mixer(width + dims[1], width),
            ]
        )
        self.neck = nn.ModuleList(
            [_convolution(width + dims[0], width), _convolution(width, width)]
        )
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def forward(
        self, features: Sequence[Float[Tensor, "b c h w"]], text: TextFeatures | None = None
    ) -> Float[Tensor, "b 1 s r"]:
        """Logits at four times the resolution of the shallowest map; the text is not read."""
        shallow, *deeper = features
        x = deeper[-1]
        skips = [deeper[1], deeper[0], shallow]
        for mixer, skip in zip(self.mixers, skips, strict=True):
            x = torch.cat([doubled(mixer(x)), skip], dim=1)
        first, second = self.neck
        return convolved_at_twice(self.head, second(doubled(first(x))))


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def convolved_at_twice(
    convolution: nn.Conv2d, x: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b 1 h2 w2"]:
    """``convolution(doubled(x))`` for a 3x3 to one channel, whose input is never made.

    Each of the nine taps is a product with the channels of a pixel, and so commutes with the
    interpolation: the nine products are enlarged, not the channels, and shifted to their places
    by a convolution that only adds. Of 512 channels at 256 px that saves 134 MB a sample.
    """
    taps = linear(x.permute(0, 2, 3, 1), convolution.weight.flatten(2).squeeze(0).t())
    places = torch.eye(taps.shape[3], dtype=taps.dtype, device=x.device)
    places = places.view(1, -1, *convolution.weight.shape[2:])
    return F.conv2d(doubled(taps.permute(0, 3, 1, 2)), places, convolution.bias, padding=1)


def doubled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Twice the resolution, bilinear, corners on corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
