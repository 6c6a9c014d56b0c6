"""ReMamber in its sizes: text encoder, encoder of Mamba Twister blocks, decoder (paper 3.2)."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.seeding import seeded
from remamber.models import ModelInputs, Segmenter
from remamber.models._decoders import ConvDecoder
from remamber.models._stages import Encoder, EncoderSettings, Size
from remamber.models._text import TextFeatures, Tokenizer, WordEncoder
from remamber.plan.spec import ModelSpec
from remamber.registry import MODELS

register = MODELS.register

SIZES = {
    "tiny": Size(
        dims=(32, 64, 96, 128),
        depths=(1, 1, 1, 1),
        decoder_width=48,
        channel_grid=4,
        interaction_width=64,
        text_width=128,
        text_layers=2,
        drop_path=0.0,
    ),
    "small": Size(
        dims=(64, 128, 256, 512),
        depths=(2, 2, 4, 2),
        decoder_width=256,
        channel_grid=16,
        interaction_width=256,
        text_width=256,
        text_layers=4,
        drop_path=0.05,
    ),
    "base": Size(
        dims=(128, 256, 512, 1024),
        depths=(2, 2, 15, 2),
        decoder_width=512,
        channel_grid=16,
        interaction_width=512,
        text_width=768,
        text_layers=12,
        drop_path=0.1,
    ),
}
"""base is the release's; tiny fits a CPU and minutes, small one GPU and hours.

The channel grid of tiny is to its 64 px what the release's 16 is to 256: the map at stride 16.
"""


class ReMamber(Segmenter):
    """Text encoder, encoder and decoder, finished and handed in."""

    def __init__(
        self, *, text: WordEncoder, encoder: Encoder, decoder: ConvDecoder, tokenizer: Tokenizer
    ) -> None:
        super().__init__()
        self.text, self.encoder, self.decoder = text, encoder, decoder
        self.tokenizer = tokenizer

    def encode_text(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Token features, mask and pooled feature of tokenised expressions."""
        features: TextFeatures = self.text(ids, mask)
        return features

    def forward_features(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> Sequence[Float[Tensor, "b c h2 w2"]]:
        """The four fused feature maps, strides 4, 8, 16 and 32."""
        features: list[Tensor] = self.encoder(image, text)
        return features

    def segment(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> Float[Tensor, "b 1 h w"]:
        """Logits at the input's resolution; sides are multiples of 32."""
        logits: Tensor = self.decoder(self.forward_features(image, text))
        if logits.shape[2:] == image.shape[2:]:
            return logits
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=True)

    def parts(self) -> dict[str, list[nn.Module]]:
        """Modules by part; ``fusion`` is what a fusion variant replaces."""
        encoder = self.encoder
        interactions = [
            child
            for fusion in encoder.fusions
            for name, child in fusion.named_children()
            if name.endswith("interaction")
        ]
        layers = [
            child
            for fusion in encoder.fusions
            for name, child in fusion.named_children()
            if not name.endswith("interaction")
        ]
        return {
            "backbone": [encoder.patch_embed, encoder.blocks, encoder.downsamples],
            "interaction": interactions,
            "fusion": layers,
            "decoder": [self.decoder],
            "text": [self.text],
        }


@register("remamber")
def build_remamber(spec: ModelSpec, inputs: ModelInputs) -> ReMamber:
    """ReMamber: Mamba Twister blocks, convolutional decoder."""
    size = SIZES[spec.size]
    tokenizer = Tokenizer(inputs.texts, length=spec.text.length)
    with seeded(f"{inputs.seed}.text"):
        text = WordEncoder(
            tokenizer.size,
            length=spec.text.length,
            width=size.text_width,
            layers=size.text_layers,
        )
    settings = EncoderSettings(
        size=size,
        fusion=spec.fusion,
        text_length=spec.text.length,
        release=spec.release,
        backend=inputs.backend,
        seed=inputs.seed,
    )
    with seeded(f"{inputs.seed}.decoder"):
        decoder = ConvDecoder(size.dims, width=size.decoder_width)
        # The features come channels-last from their LayerNorms; so laid out, the decoder's
        # convolutions take half the time on a CPU.
        decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ReMamber(text=text, encoder=Encoder(settings), decoder=decoder, tokenizer=tokenizer)
