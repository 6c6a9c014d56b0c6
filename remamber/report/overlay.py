"""A mask laid over an image: a tint inside, a veil outside, a contour that greyscale print keeps.

The contour is white with a black edge, so that it stands out from light and from dark pixels; the
colour alone means nothing that the contour does not say.
"""

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion, generate_binary_structure

Mask = NDArray[np.bool_]
Colour = Literal["green", "blue"]

SIDE = 256
"""Longer side of a tile, pixels."""

_TINTS: dict[Colour, tuple[int, int, int]] = {"green": (0, 158, 115), "blue": (0, 114, 178)}
_VEIL, _TINT, _WHITE, _BLACK = range(4)
_ALPHA = bytes([110, 120, 255, 255])
_DASH = 6
_ROUND = generate_binary_structure(2, 1)


def tile_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """Height and width of a tile that shows an image of this shape."""
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def overlay(
    mask: Mask, *, size: tuple[int, int], colour: Colour, dashed: Mask | None = None
) -> bytes:
    """A PNG with transparency.

    Args:
        mask: bool ``h w``, tinted and outlined.
        size: height and width of the tile, pixels.
        colour: of the tint.
        dashed: another mask, of which a dashed outline is drawn.
    """
    inside = resized(mask, size)
    levels = np.where(inside, _TINT, _VEIL).astype(np.uint8)
    if dashed is not None:
        _dashes(levels, resized(dashed, size))
    _outline(levels, inside)
    return _png(levels, _TINTS[colour])


def resized(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at another size: a pixel is in if at least half of what it shows is."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    filtered = Image.Resampling.BOX if grey.height > size[0] else Image.Resampling.NEAREST
    found: Mask = np.asarray(grey.resize(size[::-1], filtered)) > 127
    return found


def _outline(levels: NDArray[np.uint8], mask: Mask) -> None:
    """Draw the border: two white pixels inside it and a black one outside."""
    levels[binary_dilation(mask, _ROUND) & ~mask] = _BLACK
    levels[mask & ~binary_erosion(mask, _ROUND, iterations=2)] = _WHITE


def _dashes(levels: NDArray[np.uint8], mask: Mask) -> None:
    """Draw the border as dashes, black and white by turns."""
    rows, columns = np.indices(mask.shape)
    band = binary_dilation(mask, _ROUND) & ~binary_erosion(mask, _ROUND)
    turn = (rows + columns) // _DASH % 2 == 0
    levels[band & turn], levels[band & ~turn] = _BLACK, _WHITE


def _png(levels: NDArray[np.uint8], tint: tuple[int, int, int]) -> bytes:
    image = Image.fromarray(levels)
    image.putpalette([255, 255, 255, *tint, 255, 255, 255, 0, 0, 0])
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=_ALPHA, optimize=True)
    return stream.getvalue()
