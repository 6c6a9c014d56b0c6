"""Pretrained VMamba weights into the backbone that training starts from."""

from pathlib import Path

from remamber.errors import ExitCode, UserError
from remamber.models._fit import fit_tensors, shapes_of
from remamber.models._stages import Encoder
from remamber.models._weights import inspect_weights

_OURS = "encoder."
_OWN = ("fusions.",)
"""Parts of the encoder that no pretrained backbone has."""


def load_backbone(encoder: Encoder, path: Path) -> None:
    """Fill patch embedding, VSS blocks and downsampling, all of them; the rest stays as drawn.

    Args:
        encoder: of the size that the file is for.
        path: a VMamba checkpoint, or one converted.

    Raises:
        UserError: the file cannot be read, is refused, is no backbone or of another size.
    """
    found = inspect_weights(path)
    found.fit.require(likely=found.likely, path=str(path))
    if found.config.holds != "backbone":
        raise UserError(
            f"'{path.name}' is no backbone to start from: it holds {found.holds}",
            fix=["give VMamba's ImageNet checkpoint"],
            exit_code=ExitCode.DAMAGED,
            slug="start_other_kind",
            path=str(path),
        )
    tensors = {key.removeprefix(_OURS): value for key, value in found.tensors.items()}
    own = {k: shape for k, shape in shapes_of(encoder.state_dict()).items() if not _is_own(k)}
    fit = fit_tensors(tensors, own, what="the backbone of this size")
    fit.require(likely=found.holds, path=str(path))
    encoder.load_state_dict(tensors, strict=False)


def _is_own(key: str) -> bool:
    return key.startswith(_OWN)
