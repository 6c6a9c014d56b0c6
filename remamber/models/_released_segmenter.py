"""The published ReMamber with its text tower: expressions in, the logits of a mask out."""

from collections.abc import Mapping
from pathlib import Path

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from remamber.errors import ExitCode, UserError
from remamber.models import ReleasedReMamber, Segmenter
from remamber.models._fit import fit_tensors, shapes_of
from remamber.models._text import Text, TextFeatures
from remamber.models._text_pretrained import PretrainedEncoder, PretrainedTokenizer
from remamber.models._text_tower import present_names
from remamber.models._weights_config import WeightsConfig
from remamber.plan.spec import ModelSpec
from remamber.plan.text_files import require_same, text_folder


class ReleasedSegmenter(Segmenter):
    """Encoder and decoder of the published model, and the CLIP text tower trained with them.

    Args:
        vision: encoder and decoder, with their weights.
        text: tower and tokenizer.
        spec: what it is called in records.
        own_tower: whether the tower's weights were in the checkpoint, or are CLIP's.
    """

    def __init__(
        self, *, vision: ReleasedReMamber, text: Text, spec: ModelSpec, own_tower: bool
    ) -> None:
        super().__init__()
        self.own_tower = own_tower
        self.vision, self.text = vision, text.encoder
        self.tokenizer, self.spec = text.tokenizer, spec

    def encode_text(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Token features, mask and pooled feature of tokenised expressions."""
        features: TextFeatures = self.text(ids, mask)
        return features

    def segment(
        self, image: Float[Tensor, "b 3 s s"], text: TextFeatures
    ) -> Float[Tensor, "b 1 s s"]:
        """Logits of the mask at the input's resolution, from text that is already encoded."""
        logits: Tensor = self.vision(image, text.tokens, text.pooled, text.mask)
        return logits

    def parts(self) -> dict[str, list[nn.Module]]:
        """Modules by part, as far as the published model has them apart."""
        return {
            "encoder": [self.vision.encoder],
            "decoder": [self.vision.decoder],
            "text": [self.text],
        }

    def weights_config(self) -> WeightsConfig:
        """What a file of these weights says of itself."""
        return self.vision.weights_config()


def released_text(spec: ModelSpec, tower: Mapping[str, Tensor], *, root: Path | None) -> Text:
    """The text tower of a released checkpoint, with the tokenizer that it was trained with.

    Args:
        spec: names length and fingerprint of the CLIP that the training started from.
        tower: the checkpoint's tensors of the tower; CLIP's own where there are none.
        root: the data root, below which CLIP's folder may lie.

    Raises:
        UserError: CLIP's files are missing or others than planned, or the tower is of another
            size than theirs.
    """
    folder = text_folder(spec.text.name, root)
    require_same(spec.text, folder)
    encoder = PretrainedEncoder(spec.text.name, folder, length=spec.text.length)
    if tower:
        _fill(encoder.tower, present_names(tower), folder)
    return Text(encoder, PretrainedTokenizer(folder, length=spec.text.length))


def _fill(module: nn.Module, tower: Mapping[str, Tensor], folder: Path) -> None:
    own = {name: key for key in module.state_dict() for name in present_names({key: Tensor()})}
    shapes = {name: shapes_of(module.state_dict())[key] for name, key in own.items()}
    fit = fit_tensors(tower, shapes, what=f"the CLIP text tower in {folder.name}")
    if not fit.fits:
        raise UserError(
            "the text tower in the checkpoint does not fit CLIP's in the data root",
            where=[*fit.troubles()[:3], f"CLIP  {folder}"],
            fix=["use openai/clip-vit-large-patch14, which the release was trained with"],
            exit_code=ExitCode.DAMAGED,
            slug="text_tower_other",
            path=str(folder),
        )
    module.load_state_dict({own[name]: value for name, value in tower.items()})
