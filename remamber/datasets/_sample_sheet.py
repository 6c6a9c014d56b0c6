"""A picture of samples: images with the outline of the target, and what is said of it below."""

import io
import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from remamber.datasets import Mask, Referent, ReferringDataset

COLUMNS, ROWS = 4, 2

_SIDE, _GAP, _TEXT = 224, 12, 52
_LETTERS, _LINES, _FONT = 31, 3, 13
_OUTLINE = (255, 0, 170)
_INK, _PAPER = (20, 20, 20), (255, 255, 255)

Pixels = NDArray[np.uint8]


def sample_sheet(dataset: ReferringDataset, refs: Sequence[Referent]) -> bytes:
    """A PNG of evenly spaced refs, each with its target outlined and its expressions.

    Args:
        dataset: where pixels and masks come from.
        refs: as many of them are shown as the sheet has places.
    """
    chosen = _chosen(refs)
    width = COLUMNS * (_SIDE + _GAP) + _GAP
    height = -(-len(chosen) // COLUMNS) * (_SIDE + _TEXT + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_FONT)
    for place, ref in enumerate(chosen):
        left = _GAP + (place % COLUMNS) * (_SIDE + _GAP)
        top = _GAP + (place // COLUMNS) * (_SIDE + _TEXT + _GAP)
        sheet.paste(_outlined(dataset.image(ref.image_id), dataset.mask(ref)), (left, top))
        draw.multiline_text((left, top + _SIDE + 3), _words(ref), fill=_INK, font=font, spacing=2)
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def sheet_words(refs: Sequence[Referent]) -> str:
    """What the sheet of these refs shows, in words."""
    chosen = _chosen(refs)
    said = "; ".join(ref.expressions[0].text for ref in chosen)
    return f"{len(chosen)} images with the target outlined: {said}"


def _chosen(refs: Sequence[Referent]) -> list[Referent]:
    """Evenly spaced refs, one of them without a target where the data set has such."""
    places = COLUMNS * ROWS
    chosen = list(refs[:: max(1, len(refs) // places)])[:places]
    if all(ref.ann_ids for ref in chosen):
        without = [ref for ref in refs if not ref.ann_ids][:1]
        chosen = [*chosen[: places - len(without)], *without]
    return chosen


def _outlined(image: Pixels, mask: Mask) -> Image.Image:
    """The image as a square with the border of the mask drawn around it."""
    size = (_SIDE, _SIDE)
    large = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)).copy()
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    inside = np.asarray(grey.resize(size, Image.Resampling.BILINEAR)) > 127
    near, far = _grown(inside, 2), _grown(inside, 3)
    large[far & ~near] = _PAPER
    large[near & ~inside] = _OUTLINE
    return Image.fromarray(large)


def _grown(mask: Mask, steps: int) -> Mask:
    """The mask and all pixels so near to it."""
    padded = np.pad(mask, steps)
    height, width = mask.shape
    grown = np.zeros_like(mask)
    for y in range(2 * steps + 1):
        for x in range(2 * steps + 1):
            grown |= padded[y : y + height, x : x + width]
    return grown


def _words(ref: Referent) -> str:
    target = "no target: " if not ref.ann_ids else ""
    lines = textwrap.wrap(target + " / ".join(e.text for e in ref.expressions), _LETTERS)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1][: _LETTERS - 4].rstrip(" /") + " ..."]
    return "\n".join(lines)
