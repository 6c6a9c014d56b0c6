"""An image as a report shows it: at most so large, as the bytes of a PNG or JPEG file."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DISPLAY_SIDE = 320
"""Longer side of a displayed image, pixels; smaller images keep their size."""

_LOSSLESS_PIXELS = 128 * 128
_QUALITY = 88


def display_bytes(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The file's content as uint8 ``n``: PNG for thumbnails, whose pixels are seen, else JPEG.

    Args:
        image: uint8 ``h w 3``.
    """
    shown = Image.fromarray(image)
    shown.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if shown.width * shown.height <= _LOSSLESS_PIXELS:
        shown.save(stream, "PNG", optimize=True)
    else:
        shown.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return np.frombuffer(stream.getvalue(), dtype=np.uint8)
