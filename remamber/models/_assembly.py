"""Encoder and decoder put together: from a size and a spec's parts to the logits of a mask."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from remamber.layers.seeding import seeded
from remamber.models._decoders import ConvDecoder
from remamber.models._mamba_decoder import MambaDecoder, MambaDecoderShape
from remamber.models._stages import EncoderSettings
from remamber.models._text import TextFeatures

Decoder = ConvDecoder | MambaDecoder


def build_decoder(name: Literal["conv", "mamba"], settings: EncoderSettings) -> Decoder:
    """The decoder of that name for the maps of an encoder with the same settings."""
    size = settings.size
    with seeded(f"{settings.seed}.decoder"):
        if name == "conv":
            decoder: Decoder = ConvDecoder(size.dims, width=size.decoder_width)
        else:
            shape = MambaDecoderShape(
                dims=size.dims,
                depths=size.decoder_depths,
                text_width=size.text_width,
                text_length=settings.text_length,
                interaction_width=size.interaction_width,
                release=settings.release,
                backend=settings.backend,
                directions=settings.directions,
            )
            decoder = MambaDecoder(shape)
    # The features come channels-last from their LayerNorms; so laid out, the decoder's
    # convolutions take half the time on a CPU.
    decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return decoder


def mask_logits(
    decoder: Decoder,
    features: Sequence[Float[Tensor, "b c h2 w2"]],
    text: TextFeatures,
    *,
    size: tuple[int, int],
) -> Float[Tensor, "b 1 h w"]:
    """Logits at the resolution of the image that the features come from."""
    logits: Tensor = decoder(features, text)
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=True)
