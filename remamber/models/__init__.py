"""Shelf of models: an image and the tokens of an expression in, the logits of a mask out.

An entry is a function ``(ModelSpec, ModelInputs) -> Segmenter``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from remamber.errors import ExitCode, UserError
from remamber.models._pretrained import Pretrained, filled, read_pretrained
from remamber.models._release import ReleasedReMamber, from_release
from remamber.models._text import TextFeatures, Tokenizer
from remamber.models._text_pretrained import PretrainedEncoder, PretrainedTokenizer
from remamber.models._text_saved import SavedText
from remamber.models._text_word import WordTokenizer
from remamber.models._weights_config import WeightsConfig
from remamber.plan.spec import ModelSpec
from remamber.registry import MODELS

__all__ = [
    "ModelInputs",
    "ReleasedReMamber",
    "Segmenter",
    "TextFeatures",
    "build_from_config",
    "build_model",
    "from_pretrained",
    "from_release",
    "parameter_counts",
]


class ModelInputs(NamedTuple):
    """What a model needs besides its spec.

    Attributes:
        texts: expressions of the training split, for encoders that build a vocabulary.
        backend: name of a scan implementation, or "auto".
        seed: initial weights follow from it.
        root: the data root, below which pretrained weights and text encoders may lie.
        text: what a file of weights holds of its pretrained text encoder, which then need not
            lie anywhere.
    """

    texts: Sequence[str]
    backend: str = "auto"
    seed: int = 0
    root: Path | None = None
    text: SavedText | None = None


class Segmenter(Pretrained, nn.Module):
    """A referring segmentation model.

    Under autocast, and with half-precision weights, a logit is off by at most 5 % of the largest
    one in bfloat16 and 1 % in float16, 4 % and 0.6 % in the root mean square; the scans' states
    stay in float32 throughout. Compiled by torch.compile it gives the same logits to 3e-6 and
    gradients to 1e-4 of each tensor's maximum.

    Attributes:
        tokenizer: turns expressions into what ``encode_text`` reads.
        spec: what it was built from.
    """

    tokenizer: Tokenizer
    spec: ModelSpec

    def encode_text(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Token features, mask and pooled feature of tokenised expressions."""
        raise NotImplementedError

    def segment(
        self, image: Float[Tensor, "b 3 h w"], text: TextFeatures
    ) -> Float[Tensor, "b 1 h w"]:
        """Logits of the mask at the input's resolution, from text that is already encoded.

        Raises:
            UserError: a side of the image is no multiple of 32.
        """
        raise NotImplementedError

    def forward(
        self,
        image: Float[Tensor, "b 3 h w"],
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b 1 h w"]:
        """Logits of the mask of what each expression names, at the input's resolution."""
        return self.segment(image, self.encode_text(ids, mask))

    def parts(self) -> dict[str, list[nn.Module]]:
        """Modules by part (backbone, interaction, fusion, decoder, text), each weight once."""
        raise NotImplementedError

    def weights_config(self) -> WeightsConfig:
        """What a file of these weights says of itself."""
        tokenizer = self.tokenizer
        words = tuple(tokenizer.ids) if isinstance(tokenizer, WordTokenizer) else ()
        text = None
        if isinstance(tokenizer, PretrainedTokenizer):
            encoders = (m for m in self.modules() if isinstance(m, PretrainedEncoder))
            text = next(encoders).saved(tokenizer)
        return WeightsConfig(holds="model", spec=self.spec, vocabulary=words, text=text)

    @classmethod
    def from_config(
        cls, config: WeightsConfig, *, backend: str = "auto", root: Path | None = None
    ) -> "Segmenter":
        """The model that a file of weights names, with initial weights.

        Raises:
            UserError: the file is of another kind of model, or names a part that is not here.
        """
        inputs = ModelInputs(config.vocabulary, backend=backend, root=root, text=config.text)
        # Its backbone's start is in the weights; the file need not be there any more.
        spec = config.model_spec()
        try:
            model = build_model(spec.model_copy(update={"start": None}), inputs)
        except UserError as error:
            if error.exit_code != ExitCode.USAGE:
                raise
            raise _not_here(error) from error
        model.spec = spec
        tokenizer = model.tokenizer
        if isinstance(tokenizer, WordTokenizer):
            numbers = sorted(tokenizer.ids.values())
            tokenizer.ids = dict(zip(config.known_words(len(numbers)), numbers, strict=True))
        return model


def build_model(spec: ModelSpec, inputs: ModelInputs) -> Segmenter:
    """Build the model that a spec names.

    Raises:
        UserError: unknown model, fusion or scan ordering.
    """
    model: Segmenter = MODELS.get(spec.name)(spec, inputs)
    model.spec = spec
    return model


def _not_here(error: UserError) -> UserError:
    return UserError(
        f"the model that the weights name cannot be built here: {error.what}",
        where=error.where,
        fix=["install the package or the version that has it", "or copy the file again"],
        exit_code=ExitCode.DAMAGED,
        slug="weights_model_unknown",
    )


def build_from_config(
    config: WeightsConfig, *, backend: str = "auto", root: Path | None = None
) -> Segmenter | ReleasedReMamber:
    """The model that a file of ours names, before its weights are loaded.

    Raises:
        UserError: the file holds a backbone alone.
    """
    if config.holds == "released":
        return ReleasedReMamber.from_config(config, backend=backend, root=root)
    return Segmenter.from_config(config, backend=backend, root=root)


def from_pretrained(
    source: Path | str, *, backend: str = "auto", root: Path | None = None, download: bool = False
) -> Segmenter | ReleasedReMamber:
    """The model in a folder written by ``save_pretrained``, or in a file of ours.

    Args:
        source: a folder, a safetensors file, or the ``owner/name`` of a Hub repository.
        backend: name of a scan implementation, or "auto".
        root: the data root, below which a pretrained text encoder may lie if the file does not
            hold its configuration and tokenizer.
        download: fetch from the Hub what is not in the local cache.

    Raises:
        UserError: there is nothing there, it is damaged, or it holds no whole model.
    """
    saved = read_pretrained(source, download=download)
    return filled(build_from_config(saved.config, backend=backend, root=root), saved)


def parameter_counts(model: Segmenter) -> dict[str, int]:
    """Parameters by part and in total; frozen ones count too."""
    counts = {
        part: sum(p.numel() for module in modules for p in module.parameters())
        for part, modules in model.parts().items()
    }
    return {"total": sum(p.numel() for p in model.parameters()), **counts}
