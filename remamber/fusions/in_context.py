"""In-context conditioning: the text stands before the image in the scan (paper 3.6, 0.B.2).

What the paper leaves open, and what is done here:

- the text comes first in every direction and is read forward in each, the reversed ones
  included: behind the image it could not condition it;
- tokens are projected to C once a stage; per layer image and text get learnable position
  embeddings, added after the layer's one LayerNorm, which both share;
- the depthwise convolution acts on the image alone, since a text has no 2-D layout; all other
  weights are shared by text and image;
- the text's outputs are kept: tokens have a residual as the image has, and the next layer
  reads them;
- padding is moved before the expression and zeroed, where it leaves the state at zero;
- inner width of the SSM: fitted, so that the variant has as many parameters as the Twisting
  layers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import FusionShape
from remamber.fusions._budget import fitted_width, round_width
from remamber.fusions._positions import ImagePositions, TextPositions
from remamber.fusions._prefix_ssm import PrefixSSM
from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.layers.spatial_scan import pointwise
from remamber.ops import FOUR_WAYS
from remamber.ops.cross_scan import COLUMNS
from remamber.registry import FUSIONS

register = FUSIONS.register


class Context(NamedTuple):
    """What a layer reads and gives: the image, and the tokens with padding in front.

    Attributes:
        image: the feature map.
        tokens: projected tokens; the real ones stand last.
        mask: which tokens are real.
        place: of each token in the expression, counted from its start.
    """

    image: Float[Tensor, "b c h w"]
    tokens: Float[Tensor, "b t c"]
    mask: Bool[Tensor, "b t"]
    place: Int[Tensor, "b t"]


class PrefixedSpatialScan(nn.Module):
    """SS2D over ``[text; image]``: the parts of ``SpatialScan`` with an inner width of its own.

    Args:
        channels: C; dt_rank is C/16, rounded up.
        d_inner: inner width.
        directions: the orders in which the image is read; some row by row.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        channels: int,
        *,
        d_inner: int,
        directions: Sequence[int] = FOUR_WAYS,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        dt_rank = math.ceil(channels / 16)
        by_row = [way for way in directions if not way & COLUMNS]
        by_column = [way - COLUMNS for way in directions if way & COLUMNS]
        self.in_proj = nn.Linear(channels, d_inner, bias=False)
        self.conv2d = nn.Conv2d(d_inner, d_inner, 3, padding=1, groups=d_inner, bias=False)
        self.out_norm = LayerNorm2d(d_inner)
        self.out_proj = nn.Linear(d_inner, channels, bias=False)
        self.rows = PrefixSSM(d_inner, dt_rank=dt_rank, directions=by_row, backend=backend)
        self.columns: PrefixSSM | None = None
        if by_column:
            self.columns = PrefixSSM(
                d_inner, dt_rank=dt_rank, directions=by_column, backend=backend
            )

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        tokens: Float[Tensor, "b t c"],
        mask: Bool[Tensor, "b t"],
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b t c"]]:
        """Mix positions and tokens along the directions of the image."""
        inner = F.silu(self.conv2d(pointwise(self.in_proj, image)))
        words = F.silu(self.in_proj(tokens)) * mask.unsqueeze(2)
        rows = self.rows.scan(words, inner.flatten(2).transpose(1, 2))
        image_out = rows.sequence.transpose(1, 2).reshape(inner.shape)
        words_out = rows.prefix
        if self.columns is not None:
            columns = self.columns.scan(words, inner.mT.flatten(2).transpose(1, 2))
            by_column = columns.sequence.transpose(1, 2).reshape(inner.mT.shape).mT
            image_out, words_out = image_out + by_column, words_out + columns.prefix
        return (
            self._out(image_out, image.dtype),
            _as_tokens(self._out(_as_map(words_out), image.dtype)),
        )

    def _out(self, y: Float[Tensor, "b e h w"], dtype: torch.dtype) -> Float[Tensor, "b c h w"]:
        return pointwise(self.out_proj, self.out_norm(y).to(dtype))


class InContextLayer(nn.Module):
    """Image and tokens through one scan, both pre-norm and with a residual.

    Args:
        shape: the stage.
        d_inner: inner width of the scan.
        name: seeds the initial weights.
    """

    def __init__(self, shape: FusionShape, *, d_inner: int, name: str) -> None:
        super().__init__()
        c = shape.channels
        self.norm = LayerNorm2d(c)
        with seeded(f"{name}.positions"):
            self.image_positions = ImagePositions(c, grid=shape.channel_grid)
            self.text_positions = TextPositions(c, length=shape.text_length)
        with seeded(f"{name}.spatial"):
            self.spatial = PrefixedSpatialScan(
                c, d_inner=d_inner, directions=shape.directions, backend=shape.backend
            )

    def forward(self, context: Context) -> Context:
        """Update image and tokens."""
        image, tokens = context.image, context.tokens
        image_out, tokens_out = self.spatial(
            self.image_positions(self.norm(image)),
            self.text_positions(_as_tokens(self.norm(_as_map(tokens))), context.place),
            context.mask,
        )
        return context._replace(image=image + image_out, tokens=tokens + tokens_out)


@register("in-context")
class InContextConditioning(nn.Module):
    """In-context conditioning: the tokens stand before the image in every direction of the scan."""

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        d_inner = fitted_width(shape, _parts, multiple=round_width)
        self.text_proj, self.layers = _text_proj(shape), _layers(shape, d_inner)
        self.taps = {f"layer {i}": f"layers.{i}" for i in range(shape.spec.depth)}

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
        text_global: Float[Tensor, "b d"],
    ) -> Float[Tensor, "b c h w"]:
        """Fuse one stage's image features with the expression; the pooled text is not read."""
        context = _padding_first(image, self.text_proj(text), text_mask)
        for layer in self.layers:
            context = layer(context)
        return context.image


def _padding_first(
    image: Float[Tensor, "b c h w"], tokens: Float[Tensor, "b t c"], mask: Bool[Tensor, "b t"]
) -> Context:
    """Move the real tokens, in their order, to the end, right before the image."""
    place = torch.argsort(mask.int(), dim=1, stable=True)
    return Context(
        image,
        torch.take_along_dim(tokens, place.unsqueeze(2), dim=1),
        torch.take_along_dim(mask, place, dim=1),
        place,
    )


def _as_map(tokens: Float[Tensor, "b t c"]) -> Float[Tensor, "b c 1 t"]:
    """Tokens as a map of height one, for layers that read maps."""
    return tokens.transpose(1, 2).unsqueeze(2)


def _as_tokens(row: Float[Tensor, "b c 1 t"]) -> Float[Tensor, "b t c"]:
    return row.squeeze(2).transpose(1, 2)


def _parts(shape: FusionShape, d_inner: int) -> nn.ModuleList:
    return nn.ModuleList([_text_proj(shape), _layers(shape, d_inner)])


def _text_proj(shape: FusionShape) -> nn.Linear:
    with seeded(f"{shape.seed}.text_proj"):
        return nn.Linear(shape.text_width, shape.channels)


def _layers(shape: FusionShape, d_inner: int) -> nn.ModuleList:
    return nn.ModuleList(
        InContextLayer(shape, d_inner=d_inner, name=f"{shape.seed}.layer{i}")
        for i in range(shape.spec.depth)
    )
