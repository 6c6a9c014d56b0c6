"""Attention-based conditioning: the image asks, the text answers, then SS2D (paper 3.6, 0.B.2).

What the paper leaves open, and what is done here unless an option of that name says otherwise:

- ``order``: per layer cross-attention, then the spatial scan, or the other way round; each
  pre-norm with a residual on the image map;
- ``image_positions``, ``text_positions``: queries are the image's positions, keys and values the
  tokens straight from the text encoder, each with learnable position embeddings of its own layer;
- ``head_channels``: 32 of the image's channels a head, so C / 32 heads; scaled dot products,
  projections without bias as in SS2D;
- ``width`` of the attention as a multiple of C; 0 fits it, so that the variant has as many
  parameters as the Twisting layers;
- padding tokens are masked.
"""

from collections.abc import Callable
from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import FusionShape, Tap
from remamber.fusions._options import chosen_width, with_options
from remamber.fusions._positions import ImagePositions, TextPositions
from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.layers.spatial_scan import SpatialScan
from remamber.plan.fusion_options import Declared
from remamber.registry import FUSIONS

register = FUSIONS.register


class CrossAttention(nn.Module):
    """Every position of the image attends to the real tokens of the expression.

    Attributes:
        shares: whether a position's values are shares over the tokens: they add up to one.

    Args:
        channels: C.
        text_width: d.
        width: of queries, keys and values, all heads together.
        heads: divides ``width``.
    """

    shares: ClassVar[bool] = True

    def __init__(self, channels: int, *, text_width: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_proj = Linear(channels, width, bias=False)
        self.key_proj = Linear(text_width, width, bias=False)
        self.value_proj = Linear(text_width, width, bias=False)
        self.out_proj = Linear(width, channels, bias=False)

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b c h w"]:
        """What each position reads from the text."""
        queries = self.query_proj(image.permute(0, 2, 3, 1).flatten(1, 2))
        attended = F.scaled_dot_product_attention(
            self._by_head(queries),
            self._by_head(self.key_proj(text)),
            self._by_head(self.value_proj(text)),
            attn_mask=text_mask[:, None, None, :],
        )
        read: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return read.transpose(1, 2).reshape(image.shape)

    def interaction_map(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b t h w"]:
        """What every position attends to, mean over the heads; zero where there is no token.

        The fused attention keeps no weights, so they are computed again, head by head.
        """
        queries = self._by_head(self.query_proj(image.permute(0, 2, 3, 1).flatten(1, 2)))
        keys = self._by_head(self.key_proj(text))
        absent = ~text_mask.unsqueeze(1)
        pairs = zip(queries.unbind(1), keys.unbind(1), strict=True)
        mean = reduce(torch.add, (_weights(q, k, absent) for q, k in pairs)) / self.heads
        return torch.unflatten(mean.transpose(1, 2), 2, image.shape[2:])

    def _by_head(self, x: Float[Tensor, "b l e"]) -> Float[Tensor, "b heads l f"]:
        b, length, _ = x.shape
        return x.view(b, length, self.heads, -1).transpose(1, 2)


def _weights(
    queries: Float[Tensor, "b l f"], keys: Float[Tensor, "b t f"], absent: Bool[Tensor, "b 1 t"]
) -> Float[Tensor, "b l t"]:
    """One head's attention; an expression without a token gets none."""
    scores = queries @ keys.transpose(1, 2) * queries.shape[-1] ** -0.5
    lowest = torch.finfo(scores.dtype).min
    weights: Tensor = scores.masked_fill(absent, lowest).softmax(dim=2)
    return weights.masked_fill(absent, 0.0)


class AttentionLayer(nn.Module):
    """``x + CrossAttention(LN(x), text)``, then ``x + SS2D(LN(x))``, in the order of the spec.

    Args:
        shape: the stage.
        width: of the attention.
        name: seeds the initial weights.
    """

    def __init__(self, shape: FusionShape, *, width: int, name: str) -> None:
        super().__init__()
        c, d, options = shape.channels, shape.text_width, shape.spec.options
        self.scan_first = options["order"] == "scan-first"
        self.attention_norm = LayerNorm2d(c)
        self.spatial_norm = LayerNorm2d(c)
        with seeded(f"{name}.positions"):
            self.image_positions: nn.Module = nn.Identity()
            if options["image_positions"]:
                self.image_positions = ImagePositions(c, grid=shape.channel_grid)
            self.text_positions: nn.Module = nn.Identity()
            if options["text_positions"]:
                self.text_positions = TextPositions(d, length=shape.text_length)
        with seeded(f"{name}.attention"):
            heads = _heads(shape)(c)
            self.attention = CrossAttention(c, text_width=d, width=width, heads=heads)
        with seeded(f"{name}.spatial"):
            self.spatial = SpatialScan(c, c, directions=shape.directions, backend=shape.backend)

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b c h w"]:
        """Update the image."""
        if self.scan_first:
            image = image + self.spatial(self.spatial_norm(image))
        asking = self.image_positions(self.attention_norm(image))
        image = image + self.attention(asking, self.text_positions(text), text_mask)
        if not self.scan_first:
            image = image + self.spatial(self.spatial_norm(image))
        return image


@register("attention")
class AttentionConditioning(nn.Module):
    """Attention-based conditioning: image queries, text keys and values, then the spatial scan."""

    options: ClassVar[Declared] = {
        "order": ("attention-first", "scan-first"),
        "head_channels": 32,
        "image_positions": True,
        "text_positions": True,
        "width": 0.0,
    }

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        shape = with_options(shape, self.options)
        self.layers = _layers(shape, chosen_width(shape, _layers, multiple=_heads(shape)))
        self.taps = _taps(shape)

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
        text_global: Float[Tensor, "b d"],
    ) -> Float[Tensor, "b c h w"]:
        """Fuse one stage's image features with the expression; the pooled text is not read."""
        for layer in self.layers:
            image = layer(image, text, text_mask)
        return image


def _layers(shape: FusionShape, width: int) -> nn.ModuleList:
    return nn.ModuleList(
        AttentionLayer(shape, width=width, name=f"{shape.seed}.layer{i}")
        for i in range(shape.spec.depth)
    )


def _taps(shape: FusionShape) -> dict[str, Tap]:
    """What a position asks with and what it reads, the spatial scan, and the layer's output."""
    found: dict[str, Tap] = {}
    for i in range(shape.spec.depth):
        layer, path = f"layer {i + 1}", f"layers.{i}"
        attention = Tap(f"{path}.attention", groups=("image", "local"), reads="both")
        spatial = Tap(f"{path}.spatial", reads="inner")
        in_order = {"attention": attention, "after spatial scan": spatial, "output": Tap(path)}
        if shape.spec.options["order"] == "scan-first":
            in_order = {"after spatial scan": spatial} | in_order
        found |= {f"{layer} {place}": tap for place, tap in in_order.items()}
    return found


def _heads(shape: FusionShape) -> Callable[[int], int]:
    """The number of heads by the channels of a stage."""
    of_a_head = int(shape.spec.options["head_channels"])
    return lambda channels: max(1, channels // of_a_head)
