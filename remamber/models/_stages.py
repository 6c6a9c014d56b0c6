"""The encoder: patch embedding and four stages of VSS blocks, fusion and downsampling."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from remamber.fusions import FusionShape
from remamber.layers.patch import Downsample, PatchEmbed
from remamber.layers.seeding import seeded
from remamber.layers.vss import VSSBlock, initialise_vmamba
from remamber.models._text import TextFeatures
from remamber.plan.spec import FusionSpec
from remamber.registry import FUSIONS


class Size(NamedTuple):
    """The numbers in which the sizes of ReMamber differ.

    Attributes:
        dims: C of the four stages.
        depths: VSS blocks of the four stages.
        decoder_width: hidden width of the convolutional decoder.
        channel_grid: side of the map that the channel scan works on.
        interaction_width: inner width of the local interaction.
        text_width: width of a token from the text encoder.
        text_layers: layers of the ``word`` text encoder.
        drop_path: largest rate of stochastic depth.
    """

    dims: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder_width: int
    channel_grid: int
    interaction_width: int
    text_width: int
    text_layers: int
    drop_path: float


class EncoderSettings(NamedTuple):
    """What the encoder needs besides its size."""

    size: Size
    fusion: FusionSpec
    text_length: int
    release: bool
    backend: str
    seed: int


class Encoder(nn.Module):
    """VMamba with a fusion after each stage's VSS blocks (paper 3.2).

    The fused map of a stage goes to the decoder and, downsampled, to the next stage. Drawn in
    the released order; the downsampling of the unfused map, which the release computes and
    throws away, is not there.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        size, seed = settings.size, settings.seed
        blocks = sum(size.depths)
        rates = [size.drop_path * i / max(1, blocks - 1) for i in range(blocks)]
        with seeded(f"{seed}.backbone"):
            self.patch_embed = PatchEmbed(size.dims[0])
            self.blocks = nn.ModuleList()
            for dim, depth in zip(size.dims, size.depths, strict=True):
                stage = [
                    VSSBlock(dim, drop_path=rates.pop(0), backend=settings.backend)
                    for _ in range(depth)
                ]
                self.blocks.append(nn.Sequential(*stage))
            self.downsamples = nn.ModuleList(map(Downsample, size.dims[:-1], size.dims[1:]))
            initialise_vmamba(self)
        fusion = FUSIONS.get(settings.fusion.name)
        self.fusions = nn.ModuleList(
            fusion(_fusion_shape(settings, dim, f"{seed}.stage{i}"))
            for i, dim in enumerate(size.dims)
        )

    def forward(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> list[Float[Tensor, "b c h2 w2"]]:
        """Four fused feature maps, strides 4, 8, 16 and 32."""
        x = self.patch_embed(image)
        features = []
        for i, (blocks, fusion) in enumerate(zip(self.blocks, self.fusions, strict=True)):
            x = self.downsamples[i - 1](x) if i else x
            x = fusion(blocks(x), text.tokens, text.mask, text.pooled)
            features.append(x)
        return features


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
    )
