"""What every shape of annotation files says in the end: images, objects, refs by split."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from remamber.datasets import Referent

MOST_PIXELS = 2**26
"""Pixels of an image above which it is none: far more than any photograph of these data sets."""


class ImageEntry(NamedTuple):
    """An image's file name under the image folder, and its size in pixels."""

    file_name: str
    height: int
    width: int


class Annotations(NamedTuple):
    """The content of a data set's annotation files, before a pixel is decoded.

    Attributes:
        images: the images that have refs, by id.
        segmentations: of every annotation in those images, by annotation id: COCO's polygons,
            a run-length dict, or a list with one such dict.
        objects: the annotation ids of an image, in the file's order.
        splits: the refs of each split, in the order of their ids; a ref without annotation ids
            has no target in its image, one with several names them all together.
        classes: names of categories by annotation id; empty where the files do not list every
            object of an image.
    """

    images: Mapping[int, ImageEntry]
    segmentations: Mapping[int, Any]
    objects: Mapping[int, tuple[int, ...]]
    splits: Mapping[str, tuple[Referent, ...]]
    classes: Mapping[int, str] = MappingProxyType({})


class Source(NamedTuple):
    """A data set as some project or mirror ships it, read and checked.

    Attributes:
        name: the data set, such as ``refcoco+``.
        split_by: who made the splits: ``unc``, ``umd``, ``google``, or what the shape says.
        annotations: what its files say.
        images: the folder that ``ImageEntry.file_name`` is relative to; where the pixels stand
            in the same files, a function that gives the encoded bytes (JPEG or PNG) of an image
            id; None where the folder is not known.
        files: what was read, by path, with the sha256 (hexadecimal) of each.
        notes: what was left out or mended, a sentence each with its number.
        fingerprint: sha256 (hexadecimal) that the data set has when these files are opened
            without conversion; empty where they cannot be.
    """

    name: str
    split_by: str
    annotations: Annotations
    images: Path | Callable[[int], bytes] | None
    files: Mapping[str, str]
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
