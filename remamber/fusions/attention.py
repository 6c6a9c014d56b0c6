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
from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import FusionShape
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

    Args:
        channels: C.
        text_width: d.
        width: of queries, keys and values, all heads together.
        heads: divides ``width``.
    """

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

    def _by_head(self, x: Float[Tensor, "b l e"]) -> Float[Tensor, "b heads l f"]:
        b, length, _ = x.shape
        return x.view(b, length, self.heads, -1).transpose(1, 2)


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
        self.taps = {f"layer {i}": f"layers.{i}" for i in range(shape.spec.depth)}

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


def _heads(shape: FusionShape) -> Callable[[int], int]:
    """The number of heads by the channels of a stage."""
    of_a_head = int(shape.spec.options["head_channels"])
    return lambda channels: max(1, channels // of_a_head)
