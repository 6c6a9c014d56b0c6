"""ReMamber in its sizes: text encoder, encoder of Mamba Twister blocks, decoder (paper 3.2)."""

from collections.abc import Sequence

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from remamber.models import ModelInputs, Segmenter
from remamber.models._assembly import Decoder, build_decoder, mask_logits
from remamber.models._sizes import SIZES
from remamber.models._stages import Encoder, EncoderSettings
from remamber.models._start import load_backbone
from remamber.models._text import Text, TextFeatures
from remamber.models._text_open import open_text
from remamber.ops import SPATIAL_DIRECTIONS
from remamber.plan.spec import ModelSpec
from remamber.plan.start_files import planned_start_file
from remamber.registry import MODELS

register = MODELS.register


class ReMamber(Segmenter):
    """Text encoder, encoder and decoder, finished and handed in."""

    def __init__(self, *, text: Text, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.text, self.encoder, self.decoder = text.encoder, encoder, decoder
        self.tokenizer = text.tokenizer

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
        """Logits at the input's resolution.

        Raises:
            UserError: a side of the image is not a multiple of 32.
        """
        features = self.forward_features(image, text)
        height, width = image.shape[2:]
        return mask_logits(self.decoder, features, text, size=(height, width))

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
    """ReMamber: Mamba Twister blocks, convolutional or Mamba decoder."""
    size = SIZES[spec.size]
    text = open_text(
        spec.text,
        texts=inputs.texts,
        size=size,
        root=inputs.root,
        seed=inputs.seed,
        saved=inputs.text,
    )
    size = size._replace(text_width=text.encoder.width)
    settings = EncoderSettings(
        size=size,
        fusion=spec.fusion,
        text_length=spec.text.length,
        release=spec.release,
        backend=inputs.backend,
        seed=inputs.seed,
        backbone=spec.backbone,
        directions=SPATIAL_DIRECTIONS[spec.scan_directions],
    )
    encoder = Encoder(settings)
    if spec.start is not None:
        load_backbone(encoder, planned_start_file(spec.start, inputs.root))
    return ReMamber(text=text, encoder=encoder, decoder=build_decoder(spec.decoder, settings))
