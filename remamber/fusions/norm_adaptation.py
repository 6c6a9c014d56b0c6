"""Norm adaptation: the text scales and shifts the normalised image (FiLM; paper 3.6, 0.B.2).

What the paper leaves open, and what is done here:

- the global vector is the text encoder's pooled feature; per layer an MLP (one hidden layer of
  C / 2, GELU) maps it to scale and shift of every channel;
- ``LN(x) * (1 + scale) + shift`` feeds the spatial scan, pre-norm with a residual;
- the extra feed-forward "to maintain parameter size" stands after it, with a LayerNorm that
  the text does not touch and a residual; its width is fitted, so that the variant has as
  many parameters as the Twisting layers;
- nothing starts at zero: all weights keep PyTorch's defaults, as the release's additions do.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import FusionShape
from remamber.fusions._budget import fitted_width, round_width
from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.layers.spatial_scan import SpatialScan, pointwise
from remamber.registry import FUSIONS

register = FUSIONS.register


class AdaptedNorm(nn.Module):
    """LayerNorm whose scale and shift follow from the expression.

    Args:
        channels: C.
        text_width: d.
    """

    def __init__(self, channels: int, *, text_width: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.pool = nn.Linear(text_width, channels // 2)
        self.modulate = nn.Linear(channels // 2, 2 * channels)

    def forward(
        self, image: Float[Tensor, "b c h w"], text_global: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b c h w"]:
        """The normalised image, scaled and shifted by channel."""
        both = self.modulate(F.gelu(self.pool(text_global)))[:, :, None, None]
        scale, shift = both.chunk(2, dim=1)
        adapted: Tensor = self.norm(image) * (1 + scale) + shift
        return adapted


class FeedForward(nn.Module):
    """C -> width -> C at each pixel with GELU."""

    def __init__(self, channels: int, *, width: int) -> None:
        super().__init__()
        self.expand = nn.Linear(channels, width)
        self.reduce = nn.Linear(width, channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Map each pixel's channels."""
        return pointwise(self.reduce, F.gelu(pointwise(self.expand, x)))


class AdaptationLayer(nn.Module):
    """``x + SS2D(FiLM(LN(x), text))``, then ``x + FeedForward(LN(x))``.

    Args:
        shape: the stage.
        width: of the feed-forward.
        name: seeds the initial weights.
    """

    def __init__(self, shape: FusionShape, *, width: int, name: str) -> None:
        super().__init__()
        c = shape.channels
        with seeded(f"{name}.adaptation"):
            self.adaptation = AdaptedNorm(c, text_width=shape.text_width)
        with seeded(f"{name}.spatial"):
            self.spatial = SpatialScan(c, c, directions=shape.directions, backend=shape.backend)
        self.norm = LayerNorm2d(c)
        with seeded(f"{name}.feed_forward"):
            self.feed_forward = FeedForward(c, width=width)

    def forward(
        self, image: Float[Tensor, "b c h w"], text_global: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b c h w"]:
        """Update the image."""
        image = image + self.spatial(self.adaptation(image, text_global))
        result: Tensor = image + self.feed_forward(self.norm(image))
        return result


@register("norm-adaptation")
class NormAdaptation(nn.Module):
    """Norm adaptation: the pooled text scales and shifts the norm in front of the spatial scan."""

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        self.layers = _layers(shape, fitted_width(shape, _layers, multiple=round_width))
        self.taps = {f"layer {i}": f"layers.{i}" for i in range(shape.spec.depth)}

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
        text_global: Float[Tensor, "b d"],
    ) -> Float[Tensor, "b c h w"]:
        """Fuse one stage's image features with the expression; single tokens are not read."""
        for layer in self.layers:
            image = layer(image, text_global)
        return image


def _layers(shape: FusionShape, width: int) -> nn.ModuleList:
    return nn.ModuleList(
        AdaptationLayer(shape, width=width, name=f"{shape.seed}.layer{i}")
        for i in range(shape.spec.depth)
    )
