"""LAVT's image encoder: Swin, with the words brought in after the blocks of every stage."""

from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.models._backbones import drop_path_rates
from remamber.models._lavt_fusion import LanguageGate, PixelWordAttention
from remamber.models._lavt_sizes import LavtSize
from remamber.models._stages import require_sides
from remamber.models._swin import PatchMerging, SwinBlocks, initialise_swin
from remamber.models._text import TextFeatures


class LavtEncoder(nn.Module):
    """Patch embedding and four stages of Swin blocks, pixel-word attention and language gate.

    A stage's normed multi-modal features go to the decoder; gated, they are added to the image,
    which goes on to the next stage. The gate after the last stage, whose sum nothing reads, has
    its parameters as published, and is not computed.

    Args:
        size: of the model.
        text_width: d, width of a word's feature.
        seed: initial weights follow from it: Swin's are truncated normal 0.02 and zero biases,
            those of attention and gates torch's own for linear maps.
    """

    def __init__(self, size: LavtSize, *, text_width: int, seed: int) -> None:
        super().__init__()
        rates = drop_path_rates(size.drop_path, size.depths)
        with seeded(f"{seed}.backbone"):
            embedding = nn.Conv2d(3, size.dims[0], 4, stride=4)
            self.patch_embed = nn.Sequential(
                OrderedDict(projection=embedding, norm=LayerNorm2d(size.dims[0]))
            )
            self.blocks = nn.ModuleList(
                SwinBlocks(c, rates=stage, window=size.window)
                for c, stage in zip(size.dims, rates, strict=True)
            )
            self.downsamples = nn.ModuleList(map(PatchMerging, size.dims[:-1], size.dims[1:]))
            initialise_swin(self.blocks)
            initialise_swin(self.downsamples)
        with seeded(f"{seed}.fusion"):
            self.fusions = nn.ModuleList(
                PixelWordAttention(c, text_width=text_width) for c in size.dims
            )
            self.gates = nn.ModuleList(map(LanguageGate, size.dims))
        self.norms = nn.ModuleList(map(LayerNorm2d, size.dims))

    def forward(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> list[Float[Tensor, "b c h2 w2"]]:
        """Four maps of multi-modal features, strides 4, 8, 16 and 32.

        Raises:
            UserError: a side of the image is not a multiple of 32.
        """
        require_sides(image)
        x = self.patch_embed(image)
        features = []
        for i, (blocks, fusion) in enumerate(zip(self.blocks, self.fusions, strict=True)):
            x = self.downsamples[i - 1](x) if i else x
            x = blocks(x)
            fused = fusion(x, text.tokens, text.mask)
            features.append(self.norms[i](fused))
            if i < len(self.downsamples):
                x = x + self.gates[i](fused)
        return features
