"""The encoder: patch embedding and four stages of blocks, fusion and downsampling."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from remamber.errors import UserError
from remamber.fusions import FusionShape
from remamber.layers.seeding import seeded
from remamber.models._backbones import Backbone, vmamba_backbone
from remamber.models._sizes import Size
from remamber.models._swin import swin_backbone
from remamber.models._text import TextFeatures
from remamber.ops import FOUR_WAYS
from remamber.plan.spec import FusionSpec
from remamber.registry import FUSIONS

STRIDE = 32
"""Of the deepest map: the caller resizes or pads images to multiples of it."""


BACKBONES: dict[str, Callable[..., Backbone]] = {
    "vmamba": vmamba_backbone,
    "swin": swin_backbone,
}
"""The backbone under the fusions, by its name in the spec."""


class EncoderSettings(NamedTuple):
    """What encoder and decoder need besides their size.

    ``directions`` are those of every SS2D in the model: of the VSS blocks, of the fusion and of
    the Mamba decoder. One left at four would give each position what the others keep from it.
    """

    size: Size
    fusion: FusionSpec
    text_length: int
    release: bool
    backend: str
    seed: int
    backbone: str = "vmamba"
    directions: tuple[int, ...] = FOUR_WAYS


class Encoder(nn.Module):
    """A backbone, VMamba as a rule, with a fusion after each stage's blocks (paper 3.2).

    The fused map of a stage goes to the decoder and, downsampled, to the next stage. The
    downsampling of the unfused map, which the release computes and throws away, is not there.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        size, seed = settings.size, settings.seed
        with seeded(f"{seed}.backbone"):
            backbone = BACKBONES[settings.backbone](
                size, directions=settings.directions, backend=settings.backend
            )
        self.patch_embed, self.blocks, self.downsamples = backbone
        fusion = FUSIONS.get(settings.fusion.name)
        self.fusions = nn.ModuleList(
            fusion(_fusion_shape(settings, dim, f"{seed}.stage{i}"))
            for i, dim in enumerate(size.dims)
        )
        # The maps come channels-last from their LayerNorms; a weight that lies otherwise is
        # turned round in every pass, 4 to 5 % of the base model's forward on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> list[Float[Tensor, "b c h2 w2"]]:
        """Four fused feature maps, strides 4, 8, 16 and 32.

        Raises:
            UserError: a side of the image is not a multiple of 32.
        """
        require_sides(image)
        x = self.patch_embed(image)
        features = []
        for i, (blocks, fusion) in enumerate(zip(self.blocks, self.fusions, strict=True)):
            x = self.downsamples[i - 1](x) if i else x
            x = fusion(blocks(x), text.tokens, text.mask, text.pooled)
            features.append(x)
        return features


def backbone_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that VMamba's weights fill, under the names of ``Encoder``."""
    settings = EncoderSettings(size, FusionSpec(), 3, release=False, backend="auto", seed=0)
    with torch.device("meta"):
        state = Encoder(settings).state_dict()
    return {k: tuple(v.shape) for k, v in state.items() if not k.startswith("fusions.")}


def require_sides(image: Float[Tensor, "b 3 h w"]) -> None:
    """Raise a UserError unless both sides of an image are multiples of 32."""
    height, width = image.shape[2:]
    if height % STRIDE or width % STRIDE or not height or not width:
        raise UserError(
            f"an image of {height} x {width} px does not fit the model: both sides must be"
            f" multiples of {STRIDE}",
            fix=[
                f"resize it, or pad it to {_padded(height)} x {_padded(width)} px and cut the mask"
            ],
            slug="image_size",
        )


def _padded(side: int) -> int:
    return max(1, -(-side // STRIDE)) * STRIDE


def _fusion_shape(settings: EncoderSettings, channels: int, seed: str) -> FusionShape:
    size = settings.size
    return FusionShape(
        spec=settings.fusion,
        channels=channels,
        text_width=size.text_width,
        text_length=settings.text_length,
        channel_grid=size.channel_grid,
        interaction_width=size.interaction_width,
        release=settings.release,
        backend=settings.backend,
        seed=seed,
        dims=size.dims,
        directions=settings.directions,
    )
