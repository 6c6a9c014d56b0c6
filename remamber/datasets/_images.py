"""Photographs as RGB pixels, or an error that names the file and the image."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remamber.datasets._damaged import FETCH_AGAIN, damaged
from remamber.errors import ExitCode, UserError

_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})


def read_image(path: Path, image_id: int, *, height: int, width: int) -> NDArray[np.uint8]:
    """Pixels of an image, uint8 ``h w 3``, in the orientation that the masks were drawn in.

    EXIF rotation is not applied: COCO's masks belong to the stored pixels.

    Args:
        path: the image file.
        image_id: its id in ``instances.json``, for messages.
        height: the height that ``instances.json`` states, in pixels.
        width: the width that it states.

    Raises:
        UserError: the file is missing (exit 3), cut short, not an 8-bit image or of another
            size than its masks (exit 6).
    """
    if not path.is_file():
        raise _missing(path, image_id)
    try:
        with Image.open(path) as image:
            mode = image.mode
            pixels = np.array(image.convert("RGB"), dtype=np.uint8) if mode in _EIGHT_BIT else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, image_id, str(error)) from error
    if pixels is None:
        raise _unreadable(path, image_id, f"{mode} pixels, not 8 bits a channel")
    if pixels.shape[:2] != (height, width):
        size = f"{pixels.shape[1]}x{pixels.shape[0]} pixels, its masks {width}x{height}"
        raise _unreadable(path, image_id, f"it has {size}")
    return pixels


def _missing(path: Path, image_id: int) -> UserError:
    return UserError(
        f"image {image_id} is missing: no file '{path.name}'",
        where=[f"looked for  {path.absolute()}"],
        fix=[f"unpack {path.name} into {path.parent.absolute()}"],
        exit_code=ExitCode.MISSING,
        slug="image_missing",
        path=str(path.absolute()),
    )


def _unreadable(path: Path, image_id: int, why: str) -> UserError:
    return damaged(
        f"image {image_id} cannot be read: '{path.name}' ({' '.join(why.split())})",
        path,
        where=[f"size  {path.stat().st_size:,} bytes"],
        fix=[f"unpack {path.name} again", FETCH_AGAIN],
    )
