"""Masks that come as pictures: any pixel that is not black belongs to the target."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from remamber.datasets._segmentation import compressed
from remamber.datasets._sources._rows import WrongRowError, check_pixels

_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""What masks and pictures come in; Pillow knows more, some of which start other programs."""
_LARGEST = 64 * 2**20
"""Bytes of one picture."""
_PLAIN = frozenset({"1", "L", "P", "I;16", "I"})


def mask_of(content: bytes, name: str) -> dict[str, Any]:
    """The run lengths of an encoded grey picture; any value but 0 is the target.

    Raises:
        WrongRowError: the bytes are no picture, cut short or far too large.
    """
    with _opened(content, name) as picture:
        try:
            # A palette's numbers say where the target is; its colours may all be black.
            pixels = np.array(picture if picture.mode in _PLAIN else picture.convert("L"))
        except _UNREADABLE as error:
            raise _unreadable(name, error) from error
    return compressed(pixels != 0)


def size_of(content: bytes, name: str) -> tuple[int, int]:
    """Height and width of an encoded picture in pixels, from its first bytes.

    Raises:
        WrongRowError: the bytes are no picture or far too large.
    """
    with _opened(content, name) as picture:
        return picture.height, picture.width


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of one picture file.

    Raises:
        WrongRowError: there is no such file, it is too large, or it cannot be read.
    """
    try:
        if (length := path.stat().st_size) > _LARGEST:
            raise WrongRowError(f"{name} has {length:,} bytes, {_LARGEST:,} is the limit")
        return path.read_bytes()
    except OSError as error:
        raise WrongRowError(f"{name} is not there: {path} ({error.strerror})") from error


def _opened(content: bytes, name: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
        check_pixels(picture.height, picture.width)
    except _UNREADABLE as error:
        raise _unreadable(name, error) from error
    return picture


def _unreadable(name: str, error: Exception) -> WrongRowError:
    why = " ".join(str(error).split()) or type(error).__name__
    return WrongRowError(f"{name} cannot be read ({why})")
