"""Weights that can be evaluated: what a checkpoint holds, and the model with them."""

from pathlib import Path
from typing import Literal, NamedTuple

from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models import Segmenter, from_pretrained, from_release
from remamber.models._checkpoint_files import Checkpoint, damaged, read_checkpoint
from remamber.models._pretrained import OUR_TEXT
from remamber.models._release import (
    ReleasedReMamber,
    fit_release,
    release_shape,
    under_our_names,
    without_text,
)
from remamber.models._release_keys import BACKBONE, DECODER, TEXT
from remamber.models._released_segmenter import ReleasedSegmenter, released_text
from remamber.models._sizes import SIZES, ReleaseShape
from remamber.models._weights_config import config_in
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import FusionSpec, ModelSpec, TextSpec, WeightsSpec


class Evaluable(NamedTuple):
    """What a checkpoint says it is.

    Attributes:
        path: the file.
        weights: what it holds, and its sha256.
        model: the model's spec; of a released checkpoint what its shapes say.
    """

    path: Path
    weights: WeightsSpec
    model: ModelSpec


def find_evaluable(place: Path) -> Evaluable:
    """What the checkpoint in a file, or in a run's or a model's folder, holds.

    Raises:
        UserError: there is none (exit 3), it cannot be read or is refused, or it holds no whole
            model (exit 6).
    """
    _require_finished(place)
    checkpoint = read_checkpoint(place)
    model, config = _model_in(checkpoint), config_in(checkpoint.metadata)
    trained_here = config is not None and config.holds == "model"
    holds: Literal["model", "released"] = "model" if trained_here else "released"
    digest = file_digest(checkpoint.path)
    return Evaluable(checkpoint.path, WeightsSpec(holds=holds, sha256=digest), model)


def open_evaluable(
    found: Evaluable, *, root: Path | None = None, backend: str = "auto"
) -> Segmenter:
    """The model with its weights, in evaluation mode.

    Args:
        found: what ``find_evaluable`` gave, fingerprints of text files filled in.
        root: the data root, below which CLIP may lie.
        backend: name of a scan implementation, or "auto".

    Raises:
        UserError: the weights do not fit, or CLIP's files are missing.
    """
    if found.weights.holds == "model":
        model = from_pretrained(found.path, backend=backend, root=root)
        if isinstance(model, Segmenter):
            return model
    checkpoint = read_checkpoint(found.path)
    vision = _vision(found, checkpoint, backend=backend, root=root)
    prefix = OUR_TEXT if config_in(checkpoint.metadata) else TEXT
    tower = {
        key.removeprefix(prefix): value
        for key, value in checkpoint.tensors.items()
        if key.startswith(prefix)
    }
    text = released_text(found.model, tower, root=root)
    return ReleasedSegmenter(
        vision=vision, text=text, spec=found.model, own_tower=bool(tower)
    ).eval()


def _vision(
    found: Evaluable, checkpoint: Checkpoint, *, backend: str, root: Path | None
) -> ReleasedReMamber:
    if config_in(checkpoint.metadata) is None:
        return from_release(checkpoint.tensors, backend=backend)
    return ReleasedReMamber.from_pretrained(found.path, backend=backend, root=root)


def _model_in(checkpoint: Checkpoint) -> ModelSpec:
    config = config_in(checkpoint.metadata)
    if config is not None and config.holds == "model":
        return config.model_spec()
    if config is not None and config.holds == "released":
        return _released_spec(config.released_shape())
    tensors = checkpoint.tensors
    whole = any(k.startswith(BACKBONE) for k in tensors) and any(
        k.startswith(DECODER) for k in tensors
    )
    if config is not None or not whole:
        raise damaged(
            f"'{checkpoint.path.name}' holds no whole model that could be evaluated",
            checkpoint.path,
            where=(f"keys  {', '.join(list(tensors)[:3])}, ... ({len(tensors):,})",),
            fix=f"remamber-bench weights check {checkpoint.path}",
        )
    return _released_spec(_shape_of(tensors))


def _shape_of(tensors: dict[str, Tensor]) -> ReleaseShape:
    vision = without_text(tensors)
    fit_release(vision).require()
    return release_shape(under_our_names(vision))


def _released_spec(shape: ReleaseShape) -> ModelSpec:
    name = next((n for n, size in SIZES.items() if size.dims == shape.size.dims), "base")
    return ModelSpec.model_validate(
        {
            "name": "remamber",
            "release": True,
            "size": name,
            "decoder": shape.decoder,
            "fusion": FusionSpec(depth=shape.depth),
            "text": TextSpec(name="clip", length=shape.text_length),
        }
    )


def _require_finished(place: Path) -> None:
    """Refuse the folder of a run that has not left its weights."""
    if not place.is_dir() or (place / "model.safetensors").exists():
        return
    run = (place / "record.json").exists() or any(place.glob("checkpoint*.pt"))
    what = "run" if run else "folder"
    raise UserError(
        f"there are no weights in the {what} {place}",
        where=["looked for  model.safetensors, which a finished training leaves"],
        fix=["run the same study again: it goes on where it was stopped"]
        if run
        else ["give a checkpoint, a run's folder, or a folder written by save_pretrained"],
        exit_code=ExitCode.MISSING,
        slug="weights_missing",
        path=str(place),
    )
