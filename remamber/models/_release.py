"""The published ReMamber: its weights in, its features and logits out, the text tower apart."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from remamber.errors import ExitCode, UserError
from remamber.models._assembly import Decoder, build_decoder, mask_logits
from remamber.models._fit import Fit, fit_tensors, reshaped, shapes_of
from remamber.models._pretrained import Pretrained
from remamber.models._release_keys import TEXT, our_key, released_key
from remamber.models._sizes import ReleaseShape, Size, outlandish
from remamber.models._stages import Encoder, EncoderSettings
from remamber.models._text import TextFeatures
from remamber.models._weights_config import WeightsConfig
from remamber.plan.spec import FusionSpec

_DROP_PATH = 0.1
"""The release trains its base with this rate; weights do not show it."""


class ReleasedReMamber(Pretrained, nn.Module):
    """Encoder and decoder in release mode, for text that is already encoded.

    Padding tokens take part and the Mamba decoder reads token 0 for the pooled text, as the
    published weights need it; so ``mask`` changes nothing.

    Attributes:
        shape: what the model was built from.
    """

    def __init__(self, shape: ReleaseShape, *, backend: str = "auto") -> None:
        super().__init__()
        self.shape = shape
        settings = EncoderSettings(
            size=shape.size,
            fusion=FusionSpec(depth=shape.depth),
            text_length=shape.text_length,
            release=True,
            backend=backend,
            seed=0,
        )
        self.encoder = Encoder(settings)
        self.decoder: Decoder = build_decoder(shape.decoder, settings)

    def forward_features(
        self,
        image: Float[Tensor, "b 3 h w"],
        tokens: Float[Tensor, "b t d"],
        pooled: Float[Tensor, "b d"] | None = None,
        mask: Bool[Tensor, "b t"] | None = None,
    ) -> list[Float[Tensor, "b c h2 w2"]]:
        """The four fused feature maps, strides 4, 8, 16 and 32.

        Args:
            image: normalised by ImageNet's mean and deviation; sides are multiples of 32.
            tokens: all token features of the text tower, padding included.
            pooled: its pooled feature; token 0 if there is none.
            mask: which tokens are real; not read in release mode.

        Raises:
            UserError: a side of the image is not a multiple of 32, or the number of tokens is
                not the one that the weights were made for.
        """
        self._require_length(tokens)
        features: list[Tensor] = self.encoder(image, _text(tokens, pooled, mask))
        return features

    def forward(
        self,
        image: Float[Tensor, "b 3 h w"],
        tokens: Float[Tensor, "b t d"],
        pooled: Float[Tensor, "b d"] | None = None,
        mask: Bool[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b 1 h w"]:
        """Logits at the input's resolution; arguments as in ``forward_features``."""
        features = self.forward_features(image, tokens, pooled, mask)
        height, width = image.shape[2:]
        text = _text(tokens, pooled, mask)
        return mask_logits(self.decoder, features, text, size=(height, width))

    def weights_config(self) -> WeightsConfig:
        """What a file of these weights says of itself."""
        return WeightsConfig(holds="released", release=self.shape)

    @classmethod
    def from_config(
        cls, config: WeightsConfig, *, backend: str = "auto", root: Path | None = None
    ) -> "ReleasedReMamber":
        """The model that a file of weights names, its own weights not drawn yet."""
        return build_empty(config.released_shape(), backend=backend)

    def _require_length(self, tokens: Float[Tensor, "b t d"]) -> None:
        length = self.shape.text_length
        if tokens.shape[1] != length:
            raise UserError(
                f"{tokens.shape[1]} text tokens do not fit released weights for {length}",
                fix=[f"tokenise with padding='max_length', max_length={length}, truncation=True"],
                slug="text_length",
            )


def from_release(state_dict: Mapping[str, Tensor], *, backend: str = "auto") -> ReleasedReMamber:
    """Build the published model that a state_dict belongs to, and load it strictly.

    Size and decoder follow from the shapes; ``_release_keys`` is the key map. The text tower's
    tensors may be there and are not used: the model takes text features.

    Args:
        state_dict: what the release saves under ``model``; copied, and left as it is. In
            whatever floating type it comes, the model is float32; call ``double()`` or
            ``bfloat16()`` on it for another.
        backend: name of a scan implementation, or "auto".

    Returns:
        The model in evaluation mode.

    Raises:
        UserError: a tensor is missing, too many, or of another shape than the rest implies.
    """
    vision = without_text(state_dict)
    fit_release(vision).require()
    ours = under_our_names(vision)
    model = build_empty(release_shape(ours), backend=backend)
    model.load_state_dict(reshaped(ours, shapes_of(model.state_dict())))
    return model.eval()


def build_empty(shape: ReleaseShape, *, backend: str = "auto") -> ReleasedReMamber:
    """The model with memory for its weights and nothing drawn for them."""
    with torch.device("meta"):
        model = ReleasedReMamber(shape, backend=backend)
    return model.to_empty(device="cpu")


def fit_release(vision: Mapping[str, Tensor]) -> Fit:
    """How a released checkpoint without its text tower fits the model that its shapes imply.

    Raises:
        UserError: the tensors that say the size are not there.
    """
    shape = release_shape(under_our_names(vision))
    names = {released_key(key) or key: found for key, found in released_shapes(shape).items()}
    return fit_tensors(vision, names, what=f"ReMamber with the {shape.decoder} decoder")


def released_shapes(shape: ReleaseShape) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of a published model, under our names."""
    with torch.device("meta"):
        return shapes_of(ReleasedReMamber(shape).state_dict())


def without_text(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A released checkpoint's tensors less those of the text tower."""
    return {k: v for k, v in state_dict.items() if not k.startswith(TEXT)}


def under_our_names(vision: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that the key map knows, renamed."""
    return {name: value for key, value in vision.items() if (name := our_key(key))}


def release_shape(ours: Mapping[str, Tensor]) -> ReleaseShape:
    """Size and decoder from the shapes of tensors under our names.

    Raises:
        UserError: a tensor that says the size is not there.
    """
    read = _Shapes(ours)
    fusion = "encoder.fusions.0."
    local = f"{fusion}local_interaction."
    tokens, width = read.shape(f"{local}map_conv.weight")[1::-1]
    positions = read.shape(f"{fusion}layers.0.scans.channel.scan.in_proj.weight")[1]
    mamba = any(key.startswith("decoder.levels.") for key in ours)
    hidden = 0 if mamba else read.shape("decoder.mixers.0.6.weight")[0]
    size = Size(
        dims=backbone_dims(ours),
        depths=backbone_depths(ours),
        decoder_width=hidden,
        decoder_depths=_four(
            read.count(f"decoder.levels.{i}.layers") if mamba else 0 for i in range(4)
        ),
        channel_grid=math.isqrt(positions),
        interaction_width=width,
        text_width=read.shape(f"{local}text_proj.weight")[1],
        text_layers=0,
        drop_path=_DROP_PATH,
    )
    depth = read.count(f"{fusion}layers")
    shape = ReleaseShape(size, "mamba" if mamba else "conv", depth=depth, text_length=tokens)
    if wrong := outlandish(shape):
        raise UserError(
            f"the weights are of no model: {wrong}",
            fix=["give a whole checkpoint of the released ReMamber"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_unknown",
        )
    return shape


def backbone_dims(ours: Mapping[str, Tensor]) -> tuple[int, int, int, int]:
    """Channels of the four stages of tensors under our names.

    Raises:
        UserError: a tensor that says so is not there.
    """
    read = _Shapes(ours)
    deeper = [read.shape(f"encoder.downsamples.{i}.0.weight")[0] for i in range(3)]
    return _four([read.shape("encoder.patch_embed.3.weight")[0], *deeper])


def backbone_depths(ours: Mapping[str, Tensor]) -> tuple[int, int, int, int]:
    """VSS blocks of the four stages of tensors under our names."""
    read = _Shapes(ours)
    return _four(read.count(f"encoder.blocks.{i}") for i in range(4))


class _Shapes:
    """Reads a model's numbers off the names and shapes of its tensors."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of a tensor with at least two axes, which must be there."""
        if key not in self._tensors or self._tensors[key].ndim < 2:
            name = released_key(key) or key
            raise UserError(
                f"the weights do not say the size of the model: {name} is missing",
                where=[f"found {len(self._tensors):,} tensors of ReMamber or VMamba"],
                fix=["give a whole checkpoint of VMamba or of the released ReMamber"],
                exit_code=ExitCode.DAMAGED,
                slug="weights_unknown",
            )
        return tuple(self._tensors[key].shape)

    def count(self, prefix: str) -> int:
        """How many numbered children a module list has."""
        numbered = re.compile(re.escape(prefix) + r"\.(\d+)\.")
        return len({found[1] for key in self._tensors if (found := numbered.match(key))})


def _text(tokens: Tensor, pooled: Tensor | None, mask: Tensor | None) -> TextFeatures:
    if mask is None:
        mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
    return TextFeatures(tokens, mask, tokens[:, 0] if pooled is None else pooled)


def _four(numbers: Iterable[int]) -> tuple[int, int, int, int]:
    first, second, third, fourth = numbers
    return first, second, third, fourth
