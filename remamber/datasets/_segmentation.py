"""Masks from COCO's segmentations: polygons, run lengths, compressed run lengths.

Polygons are drawn by pycocotools. Run lengths are expanded here, because pycocotools returns
uninitialised memory for run lengths that do not fill the image.
"""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

Mask = NDArray[np.bool_]
MaskRule = Literal["union", "eq1"]


class BadSegmentationError(ValueError):
    """A segmentation that describes no mask of the image's size; the text says why."""


def decode(segmentation: Any, height: int, width: int, *, rule: MaskRule = "union") -> Mask:  # noqa: ANN401
    """The mask of one annotation, bool ``h w``.

    Args:
        segmentation: a list of polygons ``[x1, y1, x2, y2, ...]`` in pixels, a run-length
            dict, or a list of such dicts.
        height: of the image in pixels.
        width: of the image in pixels.
        rule: where parts overlap: ``union`` keeps the pixel; ``eq1`` drops it, as LAVT and the
            release do by testing the sum of the parts for equality with one.

    Raises:
        BadSegmentationError: no mask can be made of it.
    """
    count = np.zeros((height, width), dtype=np.uint16)
    for part in _parts(segmentation, height, width):
        count += part
    return count == 1 if rule == "eq1" else count > 0


def drawable(polygons: list[Any]) -> list[Any]:
    """The polygons of three points or more; fewer points enclose no pixel."""
    return [polygon for polygon in polygons if not isinstance(polygon, list) or len(polygon) >= 6]


def _parts(segmentation: Any, height: int, width: int) -> list[NDArray[np.uint8]]:  # noqa: ANN401
    rows = [segmentation] if isinstance(segmentation, dict) else segmentation
    if not isinstance(rows, list) or not rows:
        raise BadSegmentationError("neither a list of polygons nor a run-length mask")
    if all(isinstance(row, dict) for row in rows):
        return [_expanded(row, height, width) for row in rows]
    polygons = drawable(rows)
    if not polygons:
        raise BadSegmentationError("every polygon has fewer than three points")
    for polygon in polygons:
        _check_polygon(polygon, height, width)
    return [_expanded(row, height, width) for row in coco.frPyObjects(polygons, height, width)]


def _check_polygon(polygon: Any, height: int, width: int) -> None:  # noqa: ANN401
    if not isinstance(polygon, list) or not all(_is_number(value) for value in polygon):
        raise BadSegmentationError("a polygon that is not a list of numbers")
    if len(polygon) % 2:
        raise BadSegmentationError(f"a polygon of {len(polygon)} numbers, which is odd")
    # pycocotools crashes the process on coordinates far outside the image.
    for values, size in ((polygon[0::2], width), (polygon[1::2], height)):
        if min(values) < -size or max(values) > 2 * size:
            raise BadSegmentationError("a polygon far outside the image")


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and math.isfinite(value)


def _expanded(rle: dict[str, Any], height: int, width: int) -> NDArray[np.uint8]:
    if rle.get("size") != [height, width]:
        raise BadSegmentationError(
            f"a run-length mask of size {rle.get('size')} in an image of {[height, width]}"
        )
    counts = rle.get("counts")
    runs = _decompressed(counts) if isinstance(counts, str | bytes) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise BadSegmentationError("run lengths that are not a list of counts")
    if sum(runs) != height * width:
        raise BadSegmentationError(f"run lengths of {sum(runs)} pixels, not {height * width}")
    values = np.arange(len(runs), dtype=np.int64).astype(np.uint8) & 1
    return np.repeat(values, runs).reshape(width, height).T


def _decompressed(counts: str | bytes) -> list[int]:
    """Run lengths of COCO's text form: 5 bits a character, a run less the last but one."""
    raw = counts.encode("latin1", "replace") if isinstance(counts, str) else counts
    runs: list[int] = []
    value = shift = 0
    for character in raw:
        bits = character - 48
        if not 0 <= bits < 64 or shift > 60:
            raise BadSegmentationError("run lengths that are not in COCO's text form")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise BadSegmentationError("run lengths that are cut short")
    return runs
