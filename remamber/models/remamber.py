"""ReMamber in its sizes: text encoder, encoder of Mamba Twister blocks, decoder (paper 3.2)."""

from jaxtyping import Float
from torch import Tensor, nn

from remamber.models import ModelInputs
from remamber.models._assembly import Decoder, build_decoder, mask_logits
from remamber.models._encoder_decoder import EncoderDecoder
from remamber.models._sizes import SIZES
from remamber.models._stages import Encoder, EncoderSettings
from remamber.models._start import load_backbone
from remamber.models._text import TextFeatures
from remamber.models._text_open import open_text
from remamber.ops import SPATIAL_DIRECTIONS
from remamber.plan.spec import ModelSpec
from remamber.plan.start_files import planned_start_file
from remamber.registry import MODELS

register = MODELS.register


class ReMamber(EncoderDecoder[Encoder, Decoder]):
    """VMamba encoder with a fusion variant in every stage, and one of two decoders."""

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
