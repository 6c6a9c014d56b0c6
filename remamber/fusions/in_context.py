"""In-context conditioning: the text stands before the image in the scan (paper 3.6, 0.B.2).

What the paper leaves open, and what is done here unless an option of that name says otherwise:

- ``text_place``: the text comes first in every direction and is read forward in each, the
  reversed ones included; with ``first-in-forward`` it stands once in front of the image, so that
  the reversed directions read it last, where it cannot condition the image;
- ``image_positions``, ``text_positions``: tokens are projected to C once a stage; per layer image
  and text get learnable position embeddings, added after the layer's one LayerNorm, which both
  share;
- the depthwise convolution acts on the image alone, since a text has no 2-D layout; all other
  weights are shared by text and image;
- ``keep_text``: the text's outputs are kept, tokens have a residual as the image has, and the
  next layer reads them; else every layer but the first reads what the projection gave;
- padding is moved before the expression and zeroed, where it leaves the state at zero;
- inner ``width`` of the SSM as a multiple of C; 0 fits it, so that the variant has as many
  parameters as the Twisting layers.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import FusionShape, Tap
from remamber.fusions._budget import round_width
from remamber.fusions._options import chosen_width, with_options
from remamber.fusions._positions import ImagePositions, TextPositions
from remamber.fusions._prefix_ssm import PrefixSSM
from remamber.layers.linear import Linear
from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.layers.spatial_scan import pointwise
from remamber.ops import FOUR_WAYS
from remamber.ops.cross_scan import COLUMNS
from remamber.plan.fusion_options import Declared
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
        first_in_all: whether the text comes first in each of them.
        backend: name of a scan implementation, or "auto".
    """

    def __init__(
        self,
        channels: int,
        *,
        d_inner: int,
        directions: Sequence[int] = FOUR_WAYS,
        first_in_all: bool = True,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        ways = partial(
            PrefixSSM,
            d_inner,
            dt_rank=math.ceil(channels / 16),
            first_in_all=first_in_all,
            backend=backend,
        )
        by_row = [way for way in directions if not way & COLUMNS]
        by_column = [way - COLUMNS for way in directions if way & COLUMNS]
        self.in_proj = Linear(channels, d_inner, bias=False)
        self.conv2d = nn.Conv2d(d_inner, d_inner, 3, padding=1, groups=d_inner, bias=False)
        self.out_norm = LayerNorm2d(d_inner)
        self.out_proj = Linear(d_inner, channels, bias=False)
        self.rows = ways(directions=by_row)
        self.columns: PrefixSSM | None = ways(directions=by_column) if by_column else None

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
        c, options = shape.channels, shape.spec.options
        self.keep_text = bool(options["keep_text"])
        self.norm = LayerNorm2d(c)
        with seeded(f"{name}.positions"):
            self.image_positions: ImagePositions | None = None
            if options["image_positions"]:
                self.image_positions = ImagePositions(c, grid=shape.channel_grid)
            self.text_positions: TextPositions | None = None
            if options["text_positions"]:
                self.text_positions = TextPositions(c, length=shape.text_length)
        with seeded(f"{name}.spatial"):
            self.spatial = PrefixedSpatialScan(
                c,
                d_inner=d_inner,
                directions=shape.directions,
                first_in_all=options["text_place"] == "first-in-all",
                backend=shape.backend,
            )

    def forward(self, context: Context) -> Context:
        """Update image and tokens."""
        image = self.norm(context.image)
        if self.image_positions is not None:
            image = self.image_positions(image)
        tokens = _as_tokens(self.norm(_as_map(context.tokens)))
        if self.text_positions is not None:
            tokens = self.text_positions(tokens, context.place)
        image_out, tokens_out = self.spatial(image, tokens, context.mask)
        kept = context.tokens + tokens_out if self.keep_text else context.tokens
        return context._replace(image=context.image + image_out, tokens=kept)


@register("in-context")
class InContextConditioning(nn.Module):
    """In-context conditioning: the tokens stand before the image in every direction of the scan."""

    options: ClassVar[Declared] = {
        "text_place": ("first-in-all", "first-in-forward"),
        "keep_text": True,
        "image_positions": True,
        "text_positions": True,
        "width": 0.0,
    }

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        shape = with_options(shape, self.options)
        d_inner = chosen_width(shape, _parts, multiple=round_width)
        self.text_proj, self.layers = _text_proj(shape), _layers(shape, d_inner)
        self.taps = _taps(shape)

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


def _taps(shape: FusionShape) -> dict[str, Tap]:
    """Image and tokens before the scan, after it, and as the layer hands them on."""
    groups = ("image", "text")
    found: dict[str, Tap] = {}
    for i in range(shape.spec.depth):
        layer, path = f"layer {i + 1}", f"layers.{i}"
        found[f"{layer} before spatial scan"] = Tap(f"{path}.spatial", groups, reads="input")
        found[f"{layer} after spatial scan"] = Tap(f"{path}.spatial", groups)
        found[f"{layer} output"] = Tap(path, groups)
    return found


def _parts(shape: FusionShape, d_inner: int) -> nn.ModuleList:
    return nn.ModuleList([_text_proj(shape), _layers(shape, d_inner)])


def _text_proj(shape: FusionShape) -> nn.Linear:
    with seeded(f"{shape.seed}.text_proj"):
        return Linear(shape.text_width, shape.channels)


def _layers(shape: FusionShape, d_inner: int) -> nn.ModuleList:
    return nn.ModuleList(
        InContextLayer(shape, d_inner=d_inner, name=f"{shape.seed}.layer{i}")
        for i in range(shape.spec.depth)
    )
