"""The Mamba decoder: VSS layers from deep to shallow, the expression read again at each level.

Source: the release and paper 3.7; the paper says only that it is "similar to Conv" with VSS
layers. Differs from it as the release does: text enters at every level, a layer is norm and
SS2D without an MLP, and the map is refined at half the resolution before the last upsampling.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions._interaction import GlobalInteraction, LocalInteraction
from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.rectified import rectified
from remamber.layers.spatial_scan import SpatialScan, pointwise
from remamber.models._decoders import doubled
from remamber.models._text import TextFeatures
from remamber.ops import FOUR_WAYS, convolution_at_twice


class MambaDecoderShape(NamedTuple):
    """What the Mamba decoder must know to be built.

    Attributes:
        dims: channels of the four maps, shallowest first.
        depths: VSS layers of the four levels, deepest first; 2, 4, 2, 2 in the release.
        text_width: d, width of a text token.
        text_length: t, tokens of an expression.
        interaction_width: inner width of the local interaction.
        release: take token 0 for the pooled text, and let padding into the interaction map.
        backend: name of a scan implementation, or "auto".
        directions: the orders in which SS2D reads the map.
    """

    dims: Sequence[int]
    depths: Sequence[int]
    text_width: int
    text_length: int
    interaction_width: int
    release: bool
    backend: str
    directions: tuple[int, ...] = FOUR_WAYS


class ScanLayer(nn.Module):
    """``x + SS2D(LN(x))``: a VSS layer of the decoder, without MLP and stochastic depth."""

    def __init__(
        self, channels: int, *, directions: Sequence[int] = FOUR_WAYS, backend: str = "auto"
    ) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.scan = SpatialScan(channels, channels, directions=directions, backend=backend)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Keep the shape of a feature map."""
        result: Tensor = x + self.scan(self.norm(x))
        return result


class Upsample(nn.Module):
    """Twice the resolution at other channels: bilinear, 1x1 without bias, LayerNorm."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = Linear(channels, out_channels, bias=False)
        self.norm = LayerNorm2d(out_channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b e h2 w2"]:
        """Map ``b c h w`` to ``b e 2h 2w``."""
        # A 1x1 map and interpolation commute; in this order it costs a quarter.
        normed: Tensor = self.norm(doubled(pointwise(self.proj, x)))
        return normed


class SkipFusion(nn.Module):
    """An encoder's map and the decoder's through two convolutions to one map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(2 * channels, channels), *_convolution(channels, channels)
        )

    def forward(
        self, x: Float[Tensor, "b c h w"], skip: Float[Tensor, "b c h2 w2"]
    ) -> Float[Tensor, "b c h2 w2"]:
        """Join two maps of equal channels; ``x`` is resampled if it is smaller."""
        if x.shape[2:] != skip.shape[2:]:
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=True)
        layers = list(self.convolutions)
        joined = torch.cat([x, skip], dim=1)
        joined = rectified(layers[:3], partial(F.conv2d, joined, padding=1))
        return rectified(layers[3:], partial(F.conv2d, joined, padding=1))


class Level(nn.Module):
    """One level: the expression into the map, VSS layers, upsampling."""

    def __init__(self, shape: MambaDecoderShape, channels: int, *, depth: int, out: int) -> None:
        super().__init__()
        self.global_interaction = GlobalInteraction(shape.text_width, channels)
        self.local_interaction = LocalInteraction(
            channels,
            text_width=shape.text_width,
            text_length=shape.text_length,
            width=shape.interaction_width,
            release=shape.release,
        )
        self.in_proj = Linear(3 * channels, channels, bias=False)
        layers = [
            ScanLayer(channels, directions=shape.directions, backend=shape.backend)
            for _ in range(depth)
        ]
        self.layers = nn.Sequential(*layers)
        self.upsample = Upsample(channels, out)

    def forward(
        self, x: Float[Tensor, "b c h w"], text: TextFeatures
    ) -> Float[Tensor, "b e h2 w2"]:
        """Map ``b c h w`` to ``b e 2h 2w``."""
        cube = [
            x,
            self.global_interaction(x, text.pooled),
            self.local_interaction(x, text.tokens, text.mask),
        ]
        # Joined with the channels last: the spread global text has no layout that cat would keep.
        joined = torch.cat([part.permute(0, 2, 3, 1) for part in cube], dim=-1)
        result: Tensor = self.upsample(self.layers(self.in_proj(joined).permute(0, 3, 1, 2)))
        return result


class MambaDecoder(nn.Module):
    """Four levels, deepest first, each joined to the encoder's next shallower map.

    In ``release`` mode the global text is the feature of token 0, as the published weights
    need it: a causal text tower gives the same vector there for every expression. Otherwise it
    is the pooled text.
    """

    def __init__(self, shape: MambaDecoderShape) -> None:
        super().__init__()
        self.release = shape.release
        dims = list(reversed(shape.dims))
        last = dims[-1] // 2
        self.levels = nn.ModuleList(
            Level(shape, dim, depth=depth, out=out)
            for dim, depth, out in zip(dims, shape.depths, [*dims[1:], last], strict=True)
        )
        self.skips = nn.ModuleList(map(SkipFusion, dims[1:]))
        self.refine = nn.Sequential(*_convolution(last, last))
        self.to_logits = nn.Conv2d(last, 1, 3, padding=1)

    def forward(
        self, features: Sequence[Float[Tensor, "b c h w"]], text: TextFeatures
    ) -> Float[Tensor, "b 1 s r"]:
        """Logits at four times the resolution of the shallowest map."""
        if self.release:
            text = text._replace(pooled=text.tokens[:, 0])
        *shallower, x = features
        for level, skip, feature in zip(
            self.levels[:-1], self.skips, reversed(shallower), strict=True
        ):
            x = feature + skip(level(x, text), feature)
        x = self.levels[-1](x, text)
        enlarged = partial(convolution_at_twice, x, align_corners=False)
        logits: Tensor = self.to_logits(rectified(self.refine, enlarged))
        return logits


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]
