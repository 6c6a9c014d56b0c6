"""The columns of the converted layout: what each holds, and how they hang together.

A data set is ``index.json`` and a folder ``columns`` of plain ``.npy`` files, little-endian, one
number an entry. Text and masks of different lengths stand one after the other in one column of
bytes; the column of the same name with ``_at`` says where each begins, and where the last ends.

===================== ============ ==========================================================
``image_id``          images       COCO's id
``image_height``      images       pixels
``image_width``       images       pixels
``image_name``        bytes        file name under the image folder, UTF-8, by ``image_name_at``
``image_anns_at``     images + 1   which rows of ``ann_id`` are objects of an image
``ann_id``            annotations  the annotation's id
``ann_mask``          bytes        union of its parts, COCO's compressed run lengths, by
                                   ``ann_mask_at``
``ann_category``      annotations  number in the index's ``categories``; the column is only there
                                   where the files list every object of an image
``eq1_ann``           few          rows of annotations whose parts overlap, ascending
``eq1_mask``          bytes        the mask without the overlap, by ``eq1_mask_at``
``ref_id``            refs         split by split, within a split by id
``ref_image``         refs         row of its image
``ref_category``      refs         number in the index's ``categories``
``ref_ann``           targets      rows of the annotations that it names, by ``ref_anns_at``;
                                   none means that nothing in the image is meant
``ref_sents_at``      refs + 1     which rows of ``sent_id`` are its expressions
``sent_id``           expressions  the sentence's id
``sent_needs``        expressions  number in the index's ``needs``
``sent_text``         bytes        the expression, UTF-8, by ``sent_text_at``
===================== ============ ==========================================================
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remamber.datasets._annotations import MOST_PIXELS

Columns = Mapping[str, NDArray[Any]]

VERSION = 1
"""Raised when a column changes its meaning; other versions are refused."""

DTYPES = {
    "image_id": "<i8",
    "image_height": "<i4",
    "image_width": "<i4",
    "image_name": "|u1",
    "image_name_at": "<i8",
    "image_anns_at": "<i8",
    "ann_id": "<i8",
    "ann_mask": "|u1",
    "ann_mask_at": "<i8",
    "ann_category": "<i4",
    "eq1_ann": "<i8",
    "eq1_mask": "|u1",
    "eq1_mask_at": "<i8",
    "ref_id": "<i8",
    "ref_image": "<i8",
    "ref_category": "<i4",
    "ref_ann": "<i8",
    "ref_anns_at": "<i8",
    "ref_sents_at": "<i8",
    "sent_id": "<i8",
    "sent_needs": "<i4",
    "sent_text": "|u1",
    "sent_text_at": "<i8",
}
OPTIONAL = frozenset(("ann_category",))
"""Columns that a data set may lack."""

_OFFSETS = {
    "image_name_at": ("image_id", "image_name"),
    "image_anns_at": ("image_id", "ann_id"),
    "ann_mask_at": ("ann_id", "ann_mask"),
    "eq1_mask_at": ("eq1_ann", "eq1_mask"),
    "ref_anns_at": ("ref_id", "ref_ann"),
    "ref_sents_at": ("ref_id", "sent_id"),
    "sent_text_at": ("sent_id", "sent_text"),
}
"""A column of offsets: one more than the rows of the first, into the second."""
_ROWS = {"ref_image": "image_id", "ref_ann": "ann_id", "eq1_ann": "ann_id"}
"""A column of row numbers, and the column whose rows they number."""
_EQUAL = (
    ("ann_id", "ann_category"),
    ("image_id", "image_height", "image_width"),
    ("ref_id", "ref_image", "ref_category"),
    ("sent_id", "sent_needs"),
)


def fault(columns: Columns, *, categories: int, needs: int) -> str | None:
    """What does not hang together, in words; None if every row leads somewhere.

    Args:
        columns: all of them, one-dimensional and of their dtypes.
        categories: how many the index names.
        needs: how many the index names.
    """
    for group in _EQUAL:
        if len({len(columns[name]) for name in group if name in columns}) > 1:
            return f"{', '.join(group)} differ in length"
    pixels = columns["image_height"].astype(np.int64) * columns["image_width"]
    if len(pixels) and not (columns["image_height"].min() > 0 and pixels.min() > 0):
        return "image_height or image_width is no number of pixels"
    if pixels.max(initial=0) > MOST_PIXELS:
        return "an image has more pixels than any photograph"
    for name, (owner, flat) in _OFFSETS.items():
        if not _are_offsets(columns[name], len(columns[owner]), len(columns[flat])):
            return f"{name} does not divide {flat} among the rows of {owner}"
    limits = {name: len(columns[other]) for name, other in _ROWS.items()}
    limits |= {"ref_category": categories, "sent_needs": needs}
    if "ann_category" in columns:
        limits["ann_category"] = categories
    for name, limit in limits.items():
        if len(rows := columns[name]) and not (rows.min() >= 0 and rows.max() < limit):
            return f"{name} names rows that are not there"
    return None


def _are_offsets(offsets: NDArray[Any], rows: int, end: int) -> bool:
    if len(offsets) != rows + 1 or offsets[0] != 0 or offsets[-1] != end:
        return False
    return bool((offsets[1:] >= offsets[:-1]).all())


def offsets_of(lengths: list[int]) -> NDArray[np.int64]:
    """Where each of several things of these lengths begins, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
