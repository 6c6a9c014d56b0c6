"""A data set as columns: images, annotations, refs and expressions, each checked on the way."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets import OnProgress, Referent
from remamber.datasets._annotations import Annotations, Source
from remamber.datasets._converted_columns import DTYPES, OPTIONAL, offsets_of
from remamber.datasets._damaged import damaged_source
from remamber.datasets._segmentation import BadSegmentationError, RunLengths, run_lengths

_TOLD_EVERY = 1000


class Split(NamedTuple):
    """How large a split is; its refs stand in this order in the columns."""

    refs: int
    images: int
    expressions: int


class Tables(NamedTuple):
    """All columns, and what the index says beside them."""

    columns: dict[str, NDArray[Any]]
    splits: dict[str, Split]
    categories: list[str]
    needs: list[list[str]]
    notes: list[str]


class _Masks(NamedTuple):
    """Of each annotation that has a mask, image by image; ``rows`` finds its place by its id."""

    rows: dict[int, int]
    counts: list[int]
    found: list[RunLengths]
    left_out: int


def tables(source: Source, on_progress: OnProgress) -> Tables:
    """The columns of a data set.

    Annotations without a usable mask are left out, and counted in the notes, unless a ref names
    them.

    Raises:
        UserError: refs or annotations point to what is not there, an id stands twice, or a
            target has no usable mask (exit 6).
    """
    told = source.annotations
    refs = [ref for split in told.splits.values() for ref in split]
    image_rows = {image_id: row for row, image_id in enumerate(sorted(told.images))}
    _check(source, refs)
    masks = _masks(source, image_rows, {a for ref in refs for a in ref.ann_ids}, on_progress)
    categories = _categories(refs, told)
    needs = sorted({expression.needs for ref in refs for expression in ref.expressions})
    columns = {
        **_image_columns(told, image_rows, masks),
        **_mask_columns(masks),
        **_class_columns(told, masks, categories),
        **_ref_columns(refs, image_rows, masks, categories),
        **_sentence_columns(refs, needs, source),
    }
    left = f"{masks.left_out:,} annotations that no ref names have no usable mask: left out"
    return Tables(
        {
            name: np.asarray(columns[name], dtype=dtype)
            for name, dtype in DTYPES.items()
            if name in columns or name not in OPTIONAL
        },
        {name: _size(split) for name, split in told.splits.items()},
        categories,
        [list(words) for words in needs],
        [*source.notes, *([left] if masks.left_out else [])],
    )


def _categories(refs: Sequence[Referent], told: Annotations) -> list[str]:
    """Those of the refs first, whose numbers do not depend on what else is in the images."""
    of_refs = sorted({ref.category for ref in refs})
    return [*of_refs, *sorted(set(told.classes.values()) - set(of_refs))]


def _size(refs: Sequence[Referent]) -> Split:
    sentences = sum(len(ref.expressions) for ref in refs)
    return Split(len(refs), len({ref.image_id for ref in refs}), sentences)


def _check(source: Source, refs: list[Referent]) -> None:
    told = source.annotations
    homes = {a: image_id for image_id, ids in told.objects.items() for a in ids}
    missing = homes.keys() - told.segmentations.keys()
    outside = [e.file_name for e in told.images.values() if not _stays_inside(e.file_name)]
    strange = told.objects.keys() - told.images.keys()
    problems = {
        "annotations stand twice": sum(map(len, told.objects.values())) - len(homes),
        f"annotations have no segmentation, such as {min(missing, default=0)}": len(missing),
        f"image names leave the image folder, such as {outside[:1]}": len(outside),
        f"images with annotations are not there, such as {min(strange, default=0)}": len(strange),
        "refs stand twice": len(refs) - len({ref.ref_id for ref in refs}),
        "refs have no expression": sum(not ref.expressions for ref in refs),
        "refs are in images that are not there": sum(r.image_id not in told.images for r in refs),
        "refs name annotations that are not in their image": sum(
            any(homes.get(a) != ref.image_id for a in ref.ann_ids) for ref in refs
        ),
    }
    for problem, count in problems.items():
        if count:
            raise damaged_source(f"{count:,} {problem}", source.files)


def _stays_inside(file_name: str) -> bool:
    name = PurePosixPath(file_name)
    return not name.is_absolute() and ".." not in name.parts and bool(name.parts)


def _masks(
    source: Source, image_rows: dict[int, int], targets: set[int], on_progress: OnProgress
) -> _Masks:
    told = source.annotations
    rows: dict[int, int] = {}
    counts: list[int] = []
    found: list[RunLengths] = []
    left_out = 0
    for done, image_id in enumerate(image_rows):
        entry = told.images[image_id]
        before = len(found)
        for ann_id in told.objects.get(image_id, ()):
            try:
                mask = run_lengths(told.segmentations[ann_id], entry.height, entry.width)
            except BadSegmentationError as error:
                if ann_id in targets:
                    what = f"annotation {ann_id} of image {image_id} has no usable mask: {error}"
                    raise damaged_source(what, source.files) from error
                left_out += 1
                continue
            rows[ann_id] = len(found)
            found.append(mask)
        counts.append(len(found) - before)
        if done % _TOLD_EVERY == 0:
            on_progress("masks of images", done, len(image_rows))
    return _Masks(rows, counts, found, left_out)


def _image_columns(told: Annotations, image_rows: dict[int, int], masks: _Masks) -> dict[str, Any]:
    entries = [told.images[image_id] for image_id in image_rows]
    return {
        "image_id": list(image_rows),
        "image_height": [entry.height for entry in entries],
        "image_width": [entry.width for entry in entries],
        **_flat("image_name", [entry.file_name.encode() for entry in entries]),
        "image_anns_at": offsets_of(masks.counts),
    }


def _mask_columns(masks: _Masks) -> dict[str, Any]:
    other = [(row, mask.eq1) for row, mask in enumerate(masks.found) if mask.eq1 is not None]
    return {
        "ann_id": list(masks.rows),
        **_flat("ann_mask", [mask.union for mask in masks.found]),
        "eq1_ann": [row for row, _ in other],
        **_flat("eq1_mask", [text for _, text in other]),
    }


def _class_columns(told: Annotations, masks: _Masks, categories: list[str]) -> dict[str, Any]:
    if any(ann_id not in told.classes for ann_id in masks.rows):
        return {}
    numbers = {category: number for number, category in enumerate(categories)}
    return {"ann_category": [numbers[told.classes[ann_id]] for ann_id in masks.rows]}


def _ref_columns(
    refs: list[Referent], image_rows: dict[int, int], masks: _Masks, categories: list[str]
) -> dict[str, Any]:
    numbers = {category: number for number, category in enumerate(categories)}
    return {
        "ref_id": [ref.ref_id for ref in refs],
        "ref_image": [image_rows[ref.image_id] for ref in refs],
        "ref_category": [numbers[ref.category] for ref in refs],
        "ref_ann": [masks.rows[ann_id] for ref in refs for ann_id in ref.ann_ids],
        "ref_anns_at": offsets_of([len(ref.ann_ids) for ref in refs]),
        "ref_sents_at": offsets_of([len(ref.expressions) for ref in refs]),
    }


def _sentence_columns(
    refs: list[Referent], needs: list[tuple[str, ...]], source: Source
) -> dict[str, Any]:
    numbers = {words: number for number, words in enumerate(needs)}
    sentences = [expression for ref in refs for expression in ref.expressions]
    return {
        "sent_id": [sentence.sent_id for sentence in sentences],
        "sent_needs": [numbers[sentence.needs] for sentence in sentences],
        **_flat("sent_text", list(_encoded(refs, source))),
    }


def _encoded(refs: list[Referent], source: Source) -> Iterator[bytes]:
    for ref in refs:
        for sentence in ref.expressions:
            try:
                yield sentence.text.encode()
            except UnicodeEncodeError as error:
                what = f"sentence {sentence.sent_id} of ref {ref.ref_id} is no text ({error})"
                raise damaged_source(what, source.files) from error


def _flat(name: str, parts: list[bytes]) -> dict[str, Any]:
    return {
        name: np.frombuffer(b"".join(parts), dtype=np.uint8),
        f"{name}_at": offsets_of([len(part) for part in parts]),
    }
