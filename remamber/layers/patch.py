"""Patch embedding and downsampling of VMamba ("v2" and "v3" of the release)."""

from torch import nn

from remamber.layers.norm import LayerNorm2d


class PatchEmbed(nn.Sequential):
    """Image ``b 3 h w`` to features ``b c h/4 w/4`` by two strided 3x3 convolutions.

    Odd sizes are rounded up, as a padded stride-2 convolution does.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(3, channels // 2, 3, stride=2, padding=1),
            LayerNorm2d(channels // 2),
            nn.GELU(),
            nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1),
            LayerNorm2d(channels),
        )


class Downsample(nn.Sequential):
    """Features to half the resolution: strided 3x3 convolution, LayerNorm.

    Args:
        channels: of the input.
        out_channels: of the output, twice as many in the release.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, out_channels, 3, stride=2, padding=1), LayerNorm2d(out_channels)
        )
