"""Attributes read back from the finished pixels: the second, independent look at a scene.

Nothing here knows the scene that was drawn. Categories come from the annotations, all else from
the image, the id map and the part map.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remamber.datasets._synthetic.draw import ARMS, HAT, LEGS, PALETTE, TORSO, Canvas

_FILL = {
    "person": 1.40, "ball": 3.14, "box": 2.96, "cone": 1.95, "star": 1.31, "ring": 2.29,
    "cross": 2.26,
}  # fmt: skip
"""Pixels of an unhidden object in units of its squared half-extent."""

SIZE_BOUNDARY = 0.135
"""Half-extent from which an object is big, in image sides, for the sizes of the presets."""

_FEWEST_PIXELS = 4
_LEAST_CONTRAST = 30.0

Pixels = NDArray[np.uint8]
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """An object as measured; an attribute that cannot be measured is absent."""

    category: str
    looks: dict[str, str]
    x: float
    y: float


def measure(
    canvas: Canvas,
    categories: Sequence[str],
    *,
    people_scale: float,
    boundary: float = SIZE_BOUNDARY,
) -> list[Seen]:
    """Measure every object of an image.

    Args:
        canvas: pixels, id map and part map.
        categories: of the objects, in the order of their ids.
        people_scale: how much larger people are than things.
        boundary: half-extent from which an object is big, in image sides.
    """
    scales = {"person": people_scale}
    return [
        _measure_one(canvas, number, category, boundary=boundary * scales.get(category, 1.0))
        for number, category in enumerate(categories, start=1)
    ]


def _measure_one(canvas: Canvas, number: int, category: str, *, boundary: float) -> Seen:
    side = canvas.ids.shape[0]
    mask = canvas.ids == number
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    here = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    mask, image, parts = mask[here], canvas.image[here], canvas.parts[here]
    y, x = (
        float(where.mean() + start)
        for where, start in zip(np.nonzero(mask), (rows[0], columns[0]), strict=True)
    )
    extent = math.sqrt(mask.sum() / _FILL[category]) / side
    looks = {"size": "big" if extent > boundary else "small"}
    if category == "person":
        looks.update(_clothes(image, parts, mask))
    else:
        looks["texture"] = _texture(image, mask)
        marked = looks["texture"] != "plain"
        looks["color"] = (_ground_color if marked else _color)(image[mask])
    return Seen(category, looks, x / side, y / side)


def _clothes(image: Pixels, parts: Pixels, mask: Bits) -> dict[str, str]:
    worn = {}
    for name, part in (("shirt", TORSO), ("trousers", LEGS), ("hat", HAT)):
        pixels = image[mask & (parts == part)]
        if len(pixels) >= _FEWEST_PIXELS:
            worn[name] = _color(pixels)
    if not (mask & (parts == HAT)).any():
        worn["hat"] = "none"
    arms, torso = (np.nonzero(mask & (parts == part))[0] for part in (ARMS, TORSO))
    if len(arms) and len(torso):
        worn["arms"] = "up" if arms.min() < torso.min() - 1 else "down"
    return worn


def _color(pixels: Pixels) -> str:
    """Name of the palette's colour that is nearest to the median pixel."""
    middle = np.median(pixels, axis=0)
    return min(PALETTE, key=lambda name: float(((PALETTE[name] - middle) ** 2).sum()))


def _ground_color(pixels: Pixels) -> str:
    """Colour between the marks, even where more marks than ground can be seen.

    Marks are darker than their ground; only on black they are lighter, and grey.
    """
    tone = pixels.astype(np.float64).mean(axis=1)
    low, high = np.percentile(tone, [10, 90])
    bright = pixels[tone > (low + high) / 2]
    middle = np.median(bright, axis=0)
    grey = np.ptp(middle) < 25 and middle.max() < 170
    return "black" if grey else _color(bright)


def _texture(image: Pixels, mask: Bits) -> str:
    """Plain if one tone; striped if rows differ but not columns; else by the share of marks."""
    tone = image.astype(np.float64).mean(axis=2)
    inside = tone[mask]
    low, high = np.percentile(inside, [10, 90])
    if high - low < max(0.3 * high, _LEAST_CONTRAST):
        return "plain"
    rows = mask.sum(axis=1)
    row_tone = (tone * mask).sum(axis=1) / np.maximum(rows, 1)
    within = ((tone - row_tone[:, None])[mask] ** 2).mean()
    if within < 0.35 * inside.var():
        return "striped"
    boundary = (low + high) / 2
    marks = (inside > boundary) != (np.median(inside) > boundary)
    return "checked" if marks.mean() > 0.33 else "dotted"
