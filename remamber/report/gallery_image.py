"""An image of a gallery, made so small that a page with all of them stays light."""

import io
from typing import NamedTuple

from PIL import Image

from remamber.report.overlay import SIDE

_PAGE_TILES = 16 * 8
"""Tiles of the full side that a page holds."""

_LEAST_SIDE = 96
_QUALITY = 85


class FittingImage(NamedTuple):
    """Content of a PNG or JPEG file, and its size in pixels."""

    content: bytes
    height: int
    width: int


def side_for(exhibits: int, *, tiles: int) -> int:
    """The longer side of a tile, pixels: the fuller the page, the smaller.

    Args:
        exhibits: rows of the gallery.
        tiles: of a row.
    """
    crowd = max(1.0, exhibits * tiles / _PAGE_TILES)
    return max(_LEAST_SIDE, int(SIDE / crowd**0.5))


def fitting_image(content: bytes, *, side: int) -> FittingImage:
    """The image as it is, or smaller if its longer side is more than 5/4 of a tile's."""
    with Image.open(io.BytesIO(content)) as image:
        if 4 * max(image.size) <= 5 * side:
            return FittingImage(content, image.height, image.width)
        smaller = image.convert("RGB")
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    smaller.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return FittingImage(stream.getvalue(), smaller.height, smaller.width)
