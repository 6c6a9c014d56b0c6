"""Shelf of models: an image and the tokens of an expression in, the logits of a mask out.

An entry is a function ``(ModelSpec, ModelInputs) -> Segmenter``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from remamber.models._text import TextFeatures, Tokenizer
from remamber.plan.spec import ModelSpec
from remamber.registry import MODELS


class ModelInputs(NamedTuple):
    """What a model needs besides its spec.

    Attributes:
        texts: expressions of the training split, for encoders that build a vocabulary.
        backend: name of a scan implementation, or "auto".
        seed: initial weights follow from it.
    """

    texts: Sequence[str]
    backend: str = "auto"
    seed: int = 0


class Segmenter(nn.Module):
    """A referring segmentation model.

    Attributes:
        tokenizer: turns expressions into what ``encode_text`` reads.
    """

    tokenizer: Tokenizer

    def encode_text(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Token features, mask and pooled feature of tokenised expressions."""
        raise NotImplementedError

    def segment(
        self, image: Float[Tensor, "b 3 s s"], text: TextFeatures
    ) -> Float[Tensor, "b 1 s s"]:
        """Logits of the mask at the input's resolution, from text that is already encoded."""
        raise NotImplementedError

    def forward(
        self,
        image: Float[Tensor, "b 3 s s"],
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b 1 s s"]:
        """Logits of the mask of what each expression names, at the input's resolution."""
        return self.segment(image, self.encode_text(ids, mask))

    def parts(self) -> dict[str, list[nn.Module]]:
        """Modules by part (backbone, interaction, fusion, decoder, text), each weight once."""
        raise NotImplementedError


def build_model(spec: ModelSpec, inputs: ModelInputs) -> Segmenter:
    """Build the model that a spec names.

    Raises:
        UserError: unknown model, fusion or scan ordering.
    """
    model: Segmenter = MODELS.get(spec.name)(spec, inputs)
    return model


def parameter_counts(model: Segmenter) -> dict[str, int]:
    """Parameters by part and in total; frozen ones count too."""
    counts = {
        part: sum(p.numel() for module in modules for p in module.parameters())
        for part, modules in model.parts().items()
    }
    return {"total": sum(p.numel() for p in model.parameters()), **counts}
