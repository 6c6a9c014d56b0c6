"""What a checkpoint file is, what of it fits which model, and the same as safetensors."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from remamber.errors import UserError
from remamber.models import build_from_config
from remamber.models._checkpoint_files import Checkpoint, damaged, read_checkpoint
from remamber.models._fit import Fit, fit_tensors, reshaped, shapes_of
from remamber.models._pretrained import OUR_TEXT, serialised
from remamber.models._release import (
    backbone_depths,
    backbone_dims,
    fit_release,
    release_shape,
    released_shapes,
    under_our_names,
    without_text,
)
from remamber.models._release_keys import BACKBONE, DECODER, TEXT, released_key
from remamber.models._sizes import SIZES, Size
from remamber.models._stages import backbone_shapes
from remamber.models._text_tower import fit_text_tower, present_names
from remamber.models._weights_config import WeightsConfig, config_in
from remamber.plan.file_digest import file_digest
from remamber.record.files import whole_file

Kind = Literal["vmamba", "released", "ours"]

_CLASSIFIER = ("classifier.",)
_SHOWN = 3
_VMAMBA = {
    (96, (2, 2, 5, 2)): "VMamba-T (s2l5)",
    (96, (2, 2, 8, 2)): "VMamba-T (s1l8)",
    (96, (2, 2, 9, 2)): "VMamba-T of January 2024",
    (96, (2, 2, 15, 2)): "VMamba-S (s2l15)",
    (96, (2, 2, 20, 2)): "VMamba-S (s1l20)",
    (96, (2, 2, 27, 2)): "VMamba-S of January 2024",
    (128, (2, 2, 15, 2)): "VMamba-B (s2l15)",
    (128, (2, 2, 20, 2)): "VMamba-B (s1l20)",
    (128, (2, 2, 27, 2)): "VMamba-B of January 2024",
}
"""VMamba's own models by first width and depths; the release starts from s2l15 of B."""

_OTHERS = {
    r"(.*\.)?layers\.\d+\.blocks\.\d+\.attn\.": "a Swin transformer, or LAVT",
    r"(vision_model|visual)\.": "a whole CLIP model",
    r"(text_model\.)?encoder\.layers\.\d+\.self_attn\.": "a CLIP text tower alone",
    r"(bert\.)?encoder\.layer\.\d+\.attention\.": "a BERT",
    r"(backbone\.)?layer\d\.\d+\.conv\d\.": "a ResNet",
    r"(backbone\.)?layers\.\d+\.mixer\.": "a Mamba language model",
    r"(encoder\.)?(blocks|layers)\.\d+\.(attn|self_attention)\.": "a vision transformer",
}
"""Patterns of keys in checkpoints that are taken for one of ours."""

_BARE = re.compile(r"encoder\.(fusions|downsamples)\.")
"""Keys of our own models, which need the header that says which model it is."""


class Weights(NamedTuple):
    """What a checkpoint file turned out to be.

    Attributes:
        path: the file.
        checkpoint: its tensors, read without executing anything.
        kind: who made it.
        holds: the model in words.
        fit: how its tensors fit that model.
        text: how the text tower's fit a CLIP text tower; None without one.
        likely: what the file probably is where it does not fit, as far as can be seen.
        config: what the converted file says of itself.
        tensors: under our names, without what is left.
    """

    path: Path
    checkpoint: Checkpoint
    kind: Kind
    holds: str
    fit: Fit
    text: Fit | None
    likely: str
    config: WeightsConfig
    tensors: dict[str, Tensor]

    @property
    def fits(self) -> bool:
        """Whether every tensor of model and text tower has its place."""
        return self.fit.fits and (self.text is None or self.text.fits)


def inspect_weights(path: Path) -> Weights:
    """Read a checkpoint and hold it against the model that it seems to be.

    Known are VMamba's ImageNet checkpoints, those of the released ReMamber, and our own
    safetensors.

    Raises:
        UserError: the file cannot be read or is refused, or it is of no known kind.
    """
    checkpoint = read_checkpoint(path)
    tensors = checkpoint.tensors
    other = _other(tensors)
    config = config_in(checkpoint.metadata)
    if config is not None:
        return _ours(path, checkpoint, config)
    if any(map(_BARE.match, tensors)):
        raise _headless(path)
    if not other and any(key.startswith((BACKBONE, DECODER)) for key in tensors):
        return _released(path, checkpoint)
    if not other and any(key.startswith(("patch_embed.", "layers.")) for key in tensors):
        return _vmamba(path, checkpoint)
    raise damaged(
        f"'{path.name}' is no checkpoint of VMamba, of the released ReMamber or of this program",
        path,
        where=(
            *([f"likely  {other}"] if other else []),
            f"keys    {_some(list(tensors))} ({len(tensors):,})",
        ),
        fix="give vssm_base_0229_ckpt_epoch_237.pth of VMamba, or a checkpoint of ReMamber",
    )


def convert_weights(path: Path, out: Path) -> Weights:
    """Write a checkpoint that fits as safetensors under our names, its model in the header.

    Raises:
        UserError: the file cannot be read, is refused or does not fit, or ``out`` cannot be
            written.
    """
    found = inspect_weights(path)
    for fit in (found.fit, found.text):
        if fit is not None:
            fit.require(likely=found.likely, path=str(path))
    file = found.checkpoint.path
    config = found.config.model_copy(update={"source": (file.name, file_digest(file))})
    try:
        with whole_file(out) as stream:
            stream.write(serialised(found.tensors, config))
    except OSError as error:
        raise UserError(
            f"cannot write {out}: {error.strerror or error}",
            fix=["give --out a file in a folder that you may write to"],
            slug="not_writable",
            path=str(out),
        ) from error
    return found._replace(config=config)


def _vmamba(path: Path, checkpoint: Checkpoint) -> Weights:
    ours = under_our_names({BACKBONE + k: v for k, v in checkpoint.tensors.items()})
    dims, depths = backbone_dims(ours), backbone_depths(ours)
    name = next((n for n, size in SIZES.items() if size.dims == dims), "base")
    own = {f"encoder.{k}": shape for k, shape in backbone_shapes(SIZES[name]).items()}
    names = {(released_key(k) or k).removeprefix(BACKBONE): shape for k, shape in own.items()}
    fit = fit_tensors(
        checkpoint.tensors, names, what=f"the backbone of size {name}", left=_CLASSIFIER
    )
    seen = f"widths {_dashed(dims)}, depths {_dashed(depths)}"
    known = _VMAMBA.get((dims[0], depths))
    label = known or f"VMamba with {seen}"
    return Weights(
        path=path,
        checkpoint=checkpoint,
        kind="vmamba",
        holds=f"{label}, trained on images",
        fit=fit,
        text=None,
        likely="" if fit.fits else f"{known}, {seen}" if known else f"a VMamba with {seen}",
        config=WeightsConfig(holds="backbone", size=SIZES[name]),
        tensors=reshaped(ours, own) if fit.fits else {},
    )


def _released(path: Path, checkpoint: Checkpoint) -> Weights:
    vision = without_text(checkpoint.tensors)
    tower = {k.removeprefix(TEXT): v for k, v in checkpoint.tensors.items() if k not in vision}
    fit, ours = fit_release(vision), under_our_names(vision)
    shape = release_shape(ours)
    text = fit_text_tower(tower) if tower else None
    tensors = reshaped(ours, released_shapes(shape)) if fit.fits else {}
    return Weights(
        path=path,
        checkpoint=checkpoint,
        kind="released",
        holds=f"ReMamber, {shape.decoder} decoder, {_size_in_words(shape.size)}, "
        + ("with its text tower" if text else "without a text tower"),
        fit=fit,
        text=text,
        likely="",
        config=WeightsConfig(holds="released", release=shape),
        tensors=tensors | {OUR_TEXT + k: v for k, v in present_names(tower).items()},
    )


def _ours(path: Path, checkpoint: Checkpoint, config: WeightsConfig) -> Weights:
    words = {
        "backbone": "a backbone to start training from",
        "released": "the published ReMamber, converted",
        "model": "a model trained with this program",
    }
    spec = config.spec
    holds = words[config.holds] + (f": {' '.join(spec.words())}" if spec is not None else "")
    tensors = checkpoint.tensors
    left = (OUR_TEXT,) if config.holds == "released" else ()
    fit = fit_tensors(tensors, _shapes_in(config), what=words[config.holds], left=left)
    return Weights(
        path=path,
        checkpoint=checkpoint,
        kind="ours",
        holds=holds,
        fit=fit,
        text=None,
        likely="",
        config=config,
        tensors=tensors,
    )


def _shapes_in(config: WeightsConfig) -> dict[str, tuple[int, ...]]:
    """The shapes that a file of ours should have by what it says of itself."""
    if config.holds == "released":
        return released_shapes(config.released_shape())
    if config.size is not None:
        return {f"encoder.{k}": shape for k, shape in backbone_shapes(config.size).items()}
    with torch.device("meta"):
        return shapes_of(build_from_config(config).state_dict())


def _other(tensors: Mapping[str, Tensor]) -> str:
    return next(
        (name for pattern, name in _OTHERS.items() if any(map(re.compile(pattern).match, tensors))),
        "",
    )


def _headless(path: Path) -> UserError:
    return damaged(
        f"'{path.name}' holds tensors of a model of this program and does not say of which",
        path,
        fix="of a run, give its folder: model.safetensors in it says so, checkpoint.pt does not",
    )


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")


def _size_in_words(size: Size) -> str:
    found = next(
        (n for n, s in SIZES.items() if (s.dims, s.depths) == (size.dims, size.depths)), ""
    )
    return f"size {found}" if found else f"widths {_dashed(size.dims)}"


def _dashed(numbers: Iterable[int]) -> str:
    return "-".join(map(str, numbers))
