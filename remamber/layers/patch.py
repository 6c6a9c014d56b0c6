"""Patch embedding and downsampling of VMamba ("v2" and "v3" of the release)."""

from jaxtyping import Float
from torch import Tensor, nn

from remamber.layers.norm import LayerNorm2d


class PatchEmbed(nn.Sequential):
    """Image ``b 3 h w`` to features ``b c h/4 w/4`` by two strided 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(3, channels // 2, 3, stride=2, padding=1),
            LayerNorm2d(channels // 2),
            nn.GELU(),
            nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1),
            LayerNorm2d(channels),
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h4 w4"]:
        """Embed an image; odd sizes are rounded up as a padded stride-2 convolution does."""
        features: Tensor = super().forward(image)
        return features


class Downsample(nn.Sequential):
    """Features ``b c h w`` to ``b 2c h/2 w/2``: strided 3x3 convolution, LayerNorm."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), LayerNorm2d(2 * channels)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """Halve the resolution and double the channels."""
        features: Tensor = super().forward(x)
        return features
