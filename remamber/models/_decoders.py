"""Decoders: four fused feature maps in, the logits of the mask out (paper 3.7, 0.B.1)."""

from collections.abc import Sequence
from functools import partial, reduce

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.rectified import convolution_and_norm, foldable, folded, rectified
from remamber.layers.residual import added
from remamber.models._text import TextFeatures
from remamber.ops import by_products, convolution_at_twice, linear

_CHANNELS = 64
"""Of the widest map, made at a time in inference."""


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

    def forward(
        self, x: Float[Tensor, "b c h w"], skip: Float[Tensor, "b e h2 w2"] | None = None
    ) -> Float[Tensor, "b o h3 w3"]:
        """Mix a map, or with ``skip`` one that is doubled and joined to that by its channels."""
        first, *others, last, norm = self
        weight = first.get_parameter("weight").flatten(1)
        deep = x.shape[1]
        x = pixelwise(x, weight[:, :deep])
        if skip is not None:
            # A 1x1 map and interpolation commute; in this order it costs a quarter.
            x = doubled(x) + pixelwise(skip, weight[:, deep:])
        for part in others:
            x = part(x)
        mixed: Tensor = norm(pixelwise(x, last.get_parameter("weight").flatten(1)))
        return mixed


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
        shallow, *skips, deepest = features
        first, *mixers = self.mixers
        x = first(deepest)
        for mixer, skip in zip(mixers, reversed(skips), strict=True):
            x = mixer(x, skip)
        neck, last = self.neck
        x = rectified(neck.children(), partial(convolved_with_skip, x, shallow))
        return self._logits(x, list(last.children()))

    def _logits(
        self, x: Float[Tensor, "b c h w"], layers: list[nn.Module]
    ) -> Float[Tensor, "b 1 h4 w4"]:
        """A convolution of the doubled map, then the head, of what comes of it doubled."""
        convolution, norm = convolution_and_norm(layers)
        if not foldable(norm):
            return convolved_at_twice(
                self.head, rectified(layers, partial(convolution_at_twice, x))
            )
        weight, bias = folded(convolution, norm)
        # The head reads a few channels at a time: all of them would be the model's largest map.
        step = _CHANNELS if by_products(x, weight) else len(weight)
        places = [slice(first, first + step) for first in range(0, len(weight), step)]
        parts = (F.relu(convolution_at_twice(x, weight[i], bias[i]), inplace=True) for i in places)
        taps = (head_taps(self.head, part, i) for part, i in zip(parts, places, strict=True))
        return at_twice(self.head, reduce(torch.add, taps))


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def convolved_with_skip(
    x: Float[Tensor, "b c h w"],
    skip: Float[Tensor, "b e h2 w2"],
    weight: Float[Tensor, "o ce 3 3"],
    bias: Float[Tensor, " o"] | None,
) -> Float[Tensor, "b o h2 w2"]:
    """The 3x3 convolution of ``x``, doubled, and ``skip`` side by side, which are never joined."""
    deep, shallow = weight[:, : x.shape[1]], weight[:, x.shape[1] :]
    return added(F.conv2d(skip, shallow, padding=1), convolution_at_twice(x, deep, bias))


def convolved_at_twice(
    convolution: nn.Conv2d, x: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b 1 h2 w2"]:
    """``convolution(doubled(x))`` for a 3x3 to one channel, whose input is never made.

    Each of the nine taps is a product with the channels of a pixel, and so commutes with the
    interpolation: the nine products are enlarged, not the channels, and shifted to their places
    by a convolution that only adds. Of 512 channels at 256 px that saves 134 MB a sample.
    """
    return at_twice(convolution, head_taps(convolution, x))


def head_taps(
    convolution: nn.Conv2d, x: Float[Tensor, "b c h w"], channels: slice = slice(None)
) -> Float[Tensor, "b 9 h w"]:
    """The products of some of a 3x3's channels, those of ``x``, with each of its nine taps."""
    weight = convolution.weight.flatten(2).squeeze(0)[channels]
    return pixelwise(x, weight.t())


def at_twice(convolution: nn.Conv2d, taps: Float[Tensor, "b 9 h w"]) -> Float[Tensor, "b 1 h2 w2"]:
    """The same from ``head_taps`` of x, added up over its channels."""
    places = torch.eye(taps.shape[1], dtype=taps.dtype, device=taps.device)
    places = places.view(1, -1, *convolution.weight.shape[2:])
    return F.conv2d(doubled(taps), places, convolution.bias, padding=1)


def pixelwise(
    x: Float[Tensor, "b i h w"], weight: Float[Tensor, "o i"]
) -> Float[Tensor, "b o h w"]:
    """A 1x1 convolution as the linear map of each pixel."""
    return linear(x.permute(0, 2, 3, 1), weight).permute(0, 3, 1, 2)


def doubled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Twice the resolution, bilinear, corners on corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
