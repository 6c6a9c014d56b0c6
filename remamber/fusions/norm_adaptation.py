"""Norm adaptation: the text scales and shifts the normalised image (FiLM; paper 3.6, 0.B.2).

What the paper leaves open, and what is done here unless an option of that name says otherwise:

- the global vector is the text encoder's pooled feature; per layer an MLP with one ``hidden``
  layer, 0.5 times C wide, and GELU maps it to scale and shift of every channel;
- ``LN(x) * (1 + scale) + shift`` feeds the spatial scan, pre-norm with a residual;
- the extra feed-forward "to maintain parameter size" stands after it, with a LayerNorm that
  the text does not touch and a residual; its ``width`` is a multiple of C; 0 fits it, so that
  the variant has as many parameters as the Twisting layers;
- ``zero_start``: nothing starts at zero, all weights keep PyTorch's defaults, as the release's
  additions do; with it scale and shift start at zero.
"""

from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import FusionShape, Tap
from remamber.fusions._budget import round_width
from remamber.fusions._options import chosen_width, with_options
from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.layers.spatial_scan import SpatialScan, pointwise
from remamber.plan.fusion_options import Declared
from remamber.registry import FUSIONS

register = FUSIONS.register


class AdaptedNorm(nn.Module):
    """LayerNorm whose scale and shift follow from the expression.

    Args:
        channels: C.
        text_width: d.
        hidden: width of the hidden layer.
        zero_start: let scale and shift be zero at first.
    """

    def __init__(
        self, channels: int, *, text_width: int, hidden: int, zero_start: bool = False
    ) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.pool = Linear(text_width, hidden)
        self.modulate = Linear(hidden, 2 * channels)
        if zero_start:
            for weight in self.modulate.parameters():
                nn.init.zeros_(weight)

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
        self.expand = Linear(channels, width)
        self.reduce = Linear(width, channels)

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
        c, options = shape.channels, shape.spec.options
        with seeded(f"{name}.adaptation"):
            self.adaptation = AdaptedNorm(
                c,
                text_width=shape.text_width,
                hidden=max(1, int(options["hidden"] * c)),
                zero_start=bool(options["zero_start"]),
            )
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

    options: ClassVar[Declared] = {"hidden": 0.5, "zero_start": False, "width": 0.0}

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        shape = with_options(shape, self.options)
        self.layers = _layers(shape, chosen_width(shape, _layers, multiple=round_width))
        self.taps = _taps(shape)

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


def _taps(shape: FusionShape) -> dict[str, Tap]:
    """The adapted image, the spatial scan and the output: no place shows the text by itself."""
    found: dict[str, Tap] = {}
    for i in range(shape.spec.depth):
        layer, path = f"layer {i + 1}", f"layers.{i}"
        found[f"{layer} before spatial scan"] = Tap(f"{path}.adaptation")
        found[f"{layer} after spatial scan"] = Tap(f"{path}.spatial", reads="inner")
        found[f"{layer} output"] = Tap(path)
    return found


def _layers(shape: FusionShape, width: int) -> nn.ModuleList:
    return nn.ModuleList(
        AdaptationLayer(shape, width=width, name=f"{shape.seed}.layer{i}")
        for i in range(shape.spec.depth)
    )
