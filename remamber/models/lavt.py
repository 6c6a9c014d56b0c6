"""LAVT (Yang et al. 2022), the baseline of Fig. 8 and Tab. 2: Swin with words in every stage.

Rebuilt from the paper and from measured facts of the published model, on transformers' Swin and
BERT. Its training, as data of a run spec:

    [train]
    epochs = 40
    batch = 32
    loss = "lavt"                 # cross-entropy, classes weighted 0.9 and 1.1
    schedule = "poly"             # power 0.9, down to 0
    lr = 5e-5
    lr_pretrained = 5e-5          # one rate for all parts
    weight_decay = 1e-2
    no_decay = ["norm", "relative_position_bias_table"]
    text_layers = 10              # of BERT's twelve layers; the rest stays as it is

Its second model, trained with Dice, is ``loss = "lavt-dice"``. Published are the base size, BERT,
480 px and a start from Swin-B trained on ImageNet-22k at 384 px: ``model.start.name`` is the
folder or file of that checkpoint below the data root's ``weights``.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.seeding import seeded
from remamber.models import ModelInputs
from remamber.models._encoder_decoder import EncoderDecoder
from remamber.models._lavt_decoder import LavtDecoder
from remamber.models._lavt_encoder import LavtEncoder
from remamber.models._lavt_sizes import LAVT_SIZES
from remamber.models._lavt_start import load_swin
from remamber.models._sizes import SIZES
from remamber.models._text import TextFeatures
from remamber.models._text_open import open_text
from remamber.plan.spec import ModelSpec
from remamber.plan.start_files import planned_start_file
from remamber.registry import MODELS

register = MODELS.register


class Lavt(EncoderDecoder[LavtEncoder, LavtDecoder]):
    """Swin encoder with pixel-word attention, and a convolutional decoder."""

    def segment(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> Float[Tensor, "b 1 h w"]:
        """Logits at the input's resolution.

        Raises:
            UserError: a side of the image is not a multiple of 32.
        """
        logits = self.decoder(self.forward_features(image, text))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=True)

    def parts(self) -> dict[str, list[nn.Module]]:
        """Modules by part; ``fusion`` is the pixel-word attention."""
        encoder = self.encoder
        return {
            "backbone": [encoder.patch_embed, encoder.blocks, encoder.downsamples],
            "fusion": [encoder.fusions],
            "gates": [encoder.gates],
            "norms": [encoder.norms],
            "decoder": [self.decoder],
            "text": [self.text],
        }


@register("lavt")
def build_lavt(spec: ModelSpec, inputs: ModelInputs) -> Lavt:
    """LAVT: Swin and pixel-word attention, the paper's baseline."""
    size = LAVT_SIZES[spec.size]
    text = open_text(
        spec.text,
        texts=inputs.texts,
        size=SIZES[spec.size],
        root=inputs.root,
        seed=inputs.seed,
        saved=inputs.text,
        pooled=False,
    )
    encoder = LavtEncoder(size, text_width=text.encoder.width, seed=inputs.seed)
    if spec.start is not None:
        load_swin(encoder, planned_start_file(spec.start, inputs.root))
    with seeded(f"{inputs.seed}.decoder"):
        decoder = LavtDecoder(size.dims, width=size.decoder_width)
    # The maps come channels-last from their LayerNorms; so laid out, convolutions are faster.
    decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Lavt(text=text, encoder=encoder, decoder=decoder)
