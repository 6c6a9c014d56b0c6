"""What every model here is: a text encoder, an image encoder that reads the text, a decoder."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from remamber.models import Segmenter
from remamber.models._text import Text, TextFeatures

EncoderT = TypeVar("EncoderT", bound=nn.Module)
DecoderT = TypeVar("DecoderT", bound=nn.Module)


class EncoderDecoder(Segmenter, Generic[EncoderT, DecoderT]):
    """Text encoder, encoder and decoder, finished and handed in.

    Args:
        text: the encoder of expressions with its tokenizer.
        encoder: (image, text features) -> four maps of multi-modal features.
        decoder: makes the mask of them.
    """

    encoder: EncoderT
    decoder: DecoderT

    def __init__(self, *, text: Text, encoder: EncoderT, decoder: DecoderT) -> None:
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
        """The four maps of multi-modal features, strides 4, 8, 16 and 32."""
        features: list[Tensor] = self.encoder(image, text)
        return features
