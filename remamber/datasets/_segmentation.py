"""Masks from COCO's segmentations: polygons, run lengths, compressed run lengths.

Polygons are drawn by pycocotools. Run lengths are expanded here, because pycocotools returns
uninitialised memory for run lengths that do not fill the image.
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from remamber.datasets._shown import shown

Mask = NDArray[np.bool_]
MaskRule = Literal["union", "eq1"]
_LONGEST = 8
"""Characters of a run: 40 bits hold more pixels than any image has."""


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
    parts, _ = _parts(segmentation, height, width)
    if len(parts) == 1:
        return _expanded(parts[0], height, width).view(np.bool_)
    count = np.zeros((height, width), dtype=np.uint16)
    for part in parts:
        count += _expanded(part, height, width)
    return count == 1 if rule == "eq1" else count > 0


def decode_text(counts: bytes, height: int, width: int) -> Mask:
    """The mask, bool ``h w``, of run lengths in COCO's compressed text.

    Raises:
        BadSegmentationError: the text does not fill the image exactly.
    """
    return _expanded({"size": [height, width], "counts": counts}, height, width).view(np.bool_)


class RunLengths(NamedTuple):
    """An annotation's mask in COCO's compressed text by either rule.

    ``eq1`` is None where the rules agree, which is where no two parts overlap.
    """

    union: bytes
    eq1: bytes | None


def run_lengths(segmentation: Any, height: int, width: int) -> RunLengths:  # noqa: ANN401
    """What ``decode`` gives by both rules, without a pixel drawn where there is one part.

    Raises:
        BadSegmentationError: no mask can be made of it.
    """
    parts, drawn = _parts(segmentation, height, width)
    if not drawn:
        parts = [_checked_text(part, height, width) for part in parts]
    if len(parts) == 1:
        return RunLengths(parts[0]["counts"], None)
    union = coco.merge(parts, intersect=False)
    if coco.area(parts).sum(dtype=np.int64) == coco.area(union):
        return RunLengths(union["counts"], None)
    eq1 = compressed(decode(segmentation, height, width, rule="eq1"))
    return RunLengths(union["counts"], eq1["counts"])


def compressed(mask: Mask) -> dict[str, Any]:
    """A mask, bool ``h w``, as a run-length dict with COCO's compressed text, which is ASCII."""
    packed: dict[str, Any] = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": packed["counts"]}


def drawable(polygons: list[Any]) -> list[Any]:
    """The polygons of three points or more; fewer points enclose no pixel."""
    return [polygon for polygon in polygons if not isinstance(polygon, list) or len(polygon) >= 6]


class _Parts(NamedTuple):
    """Run-length dicts, and whether pycocotools drew them, so that they are known to be right."""

    rows: list[dict[str, Any]]
    drawn: bool


def _parts(segmentation: Any, height: int, width: int) -> _Parts:  # noqa: ANN401
    rows = [segmentation] if isinstance(segmentation, dict) else segmentation
    if not isinstance(rows, list) or not rows:
        raise BadSegmentationError("neither a list of polygons nor a run-length mask")
    if all(isinstance(row, dict) for row in rows):
        return _Parts(rows, drawn=False)
    polygons = drawable(rows)
    if not polygons:
        raise BadSegmentationError("every polygon has fewer than three points")
    for polygon in polygons:
        _check_polygon(polygon, height, width)
    return _Parts(coco.frPyObjects(polygons, height, width), drawn=True)


def _checked_text(part: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    """A part with its counts as compressed text, after a check that they fill the image."""
    counts = part.get("counts")
    if isinstance(counts, bytes):
        _runs(part, height, width)
        return {"size": [height, width], "counts": counts}
    return compressed(_expanded(part, height, width).view(np.bool_))


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
    # A whole number may be too large to be compared as a float.
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_size(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _expanded(rle: dict[str, Any], height: int, width: int) -> NDArray[np.uint8]:
    runs = _runs(rle, height, width)
    values = np.arange(len(runs), dtype=np.int64).astype(np.uint8) & 1
    return np.repeat(values, runs).reshape(width, height).T


def _runs(rle: dict[str, Any], height: int, width: int) -> NDArray[np.int64]:
    """Run lengths down the columns, zeros first, that fill the image exactly."""
    size = rle.get("size")
    if not isinstance(size, list | tuple) or list(size) != [height, width]:
        told = size if _is_size(size) else shown(size)
        raise BadSegmentationError(
            f"a run-length mask of size {told} in an image of {[height, width]}"
        )
    counts, pixels = rle.get("counts"), height * width
    if isinstance(counts, str | bytes):
        runs = _decompressed(counts, pixels)
    elif isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts):
        if max(counts, default=0) > pixels:
            raise BadSegmentationError(f"run lengths beyond the image, not {pixels} pixels")
        runs = np.array(counts, dtype=np.int64)
    else:
        raise BadSegmentationError("run lengths that are not a list of counts")
    if runs.min(initial=0) < 0:
        raise BadSegmentationError("run lengths that are not a list of counts")
    if (total := int(runs.sum())) != pixels:
        raise BadSegmentationError(f"run lengths of {total} pixels, not {pixels}")
    return runs


def _decompressed(counts: str | bytes, pixels: int) -> NDArray[np.int64]:
    """Run lengths of COCO's text form: 5 bits a character, a run less the last but one."""
    # What is not ASCII becomes a character that is out of the range looked for next.
    raw = counts.encode("ascii", "xmlcharrefreplace") if isinstance(counts, str) else counts
    bits = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - 48
    if bits.min(initial=0) < 0 or bits.max(initial=0) > 63:
        raise BadSegmentationError("run lengths that are not in COCO's text form")
    last = np.flatnonzero(bits & 0x20 == 0)
    first = np.concatenate([[0], last + 1])
    lengths = np.diff(np.append(first, len(bits)) if first[-1] < len(bits) else first)
    if lengths.max(initial=0) > _LONGEST:
        raise BadSegmentationError("run lengths that are not in COCO's text form")
    if first[-1] < len(bits):
        raise BadSegmentationError("run lengths that are cut short")
    if not len(bits):
        return bits
    place = np.arange(len(bits)) - np.repeat(first[:-1], lengths)
    values = np.add.reduceat((bits & 0x1F) << (5 * place), first[:-1])
    values -= np.where(bits[last] & 0x10, np.int64(1) << (5 * lengths), 0)
    if np.abs(values).max() > pixels:
        raise BadSegmentationError(f"run lengths beyond the image, not {pixels} pixels")
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
