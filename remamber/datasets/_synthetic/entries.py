"""A picture as the refer layout holds it: image, annotation and ref entries with stable ids."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from remamber.datasets._synthetic.form import Form
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.knobs import CATEGORIES, Recipe
from remamber.datasets._synthetic.logic import Meaning, Program
from remamber.datasets._synthetic.picture import Picture
from remamber.datasets._synthetic.polygons import polygons
from remamber.datasets._synthetic.speaker import Sentence, Target

# Ids follow from split and place alone, so that they stay when a split grows.
_SPLIT_BASE = {"train": 1, "val": 2, "testA": 3, "testB": 4, "testC": 5, "test": 6}
_IMAGES_PER_SPLIT = 1_000_000
_OBJECTS_PER_IMAGE = 16
_SENTENCES_PER_REF = 8

Entry = dict[str, Any]


def category_id(category: str) -> int:
    """Number of a category in instances.json, from 1."""
    return CATEGORIES.index(category) + 1


def image_number(split: str, index: int) -> int:
    """Id of an image in instances.json."""
    return _SPLIT_BASE[split] * _IMAGES_PER_SPLIT + index


def file_name(style: str, split: str, index: int, *, ending: str) -> str:
    """Name of an image file, such as ``synth_refcoco_train_000000.png``."""
    return f"{style.replace('-', '_')}_{split}_{index:06d}.{ending}"


def entries(recipe: Recipe, picture: Picture, *, split: str, index: int, form: Form) -> Entry:
    """All that the layout's files say of one picture, as plain data.

    Returns:
        ``image``, ``annotations`` and ``refs`` as in COCO and REFER; ``expressions`` with the
        program behind every sentence; ``content_sha256`` over pixels, masks and expressions.
    """
    image_id = image_number(split, index)
    name = file_name(recipe.style, split, index, ending=form.images)
    side = recipe.knobs.side
    things = picture.scene.things
    kinds = [thing.category for thing in things]
    first = image_id * _OBJECTS_PER_IMAGE
    lists = load_grammar(recipe.style).refs_file == "grefs"
    # Several refs may name the same object of a list, so there it gives a ref no number.
    numbers = [place if lists else t.things[0] for place, t in enumerate(picture.targets)]
    targets = [(first + n, target) for n, target in zip(numbers, picture.targets, strict=True)]
    return {
        "split": split,
        "index": index,
        "image": {"id": image_id, "file_name": name, "height": side, "width": side},
        "annotations": [
            _annotation(picture.canvas.ids == number + 1, image_id, number, kind=kind, form=form)
            for number, kind in enumerate(kinds)
        ],
        "refs": [
            {
                "ref_id": ref_id,
                **(_targets(first, target, kinds) if lists else _target(first, target, kinds)),
                "image_id": image_id,
                "split": split,
                "file_name": name,
                **_sentences(ref_id, target),
            }
            for ref_id, target in targets
        ],
        "expressions": [
            _provenance(ref_id * _SENTENCES_PER_REF + place, sentence)
            for ref_id, target in targets
            for place, sentence in enumerate(target.sentences)
        ],
        "looks": [{"category": thing.category, **thing.looks} for thing in things],
        "attempts": picture.attempts,
        "refused": picture.refused,
        "content_sha256": content_hash(picture),
    }


def content_hash(picture: Picture) -> str:
    """sha256 (hexadecimal) over pixels, id map and expressions, not over any file format."""
    total = hashlib.sha256(picture.canvas.image.tobytes())
    total.update(picture.canvas.ids.astype("<i2").tobytes())
    for target in picture.targets:
        for sentence in target.sentences:
            total.update(f"{_numbers(target)}\t{sentence.text}\t{sentence.needs}\n".encode())
    return total.hexdigest()


def _numbers(target: Target) -> str:
    return ",".join(map(str, target.things))


def _annotation(
    mask: NDArray[np.bool_], image_id: int, number: int, *, kind: str, form: Form
) -> Entry:
    segmentation: list[Any]
    if form.masks == "polygon":
        segmentation = polygons(mask)
        encoded = coco_mask.merge(coco_mask.frPyObjects(segmentation, *mask.shape))
    else:
        encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        # A list of one RLE: exact, and a bare dict is refused by REFER.getMask.
        size, counts = [int(n) for n in encoded["size"]], encoded["counts"].decode("ascii")
        segmentation = [{"size": size, "counts": counts}]
    return {
        "id": image_id * _OBJECTS_PER_IMAGE + number,
        "image_id": image_id,
        "category_id": category_id(kind),
        "bbox": [float(value) for value in coco_mask.toBbox(encoded)],
        "area": int(coco_mask.area(encoded)),
        "iscrowd": 0,
        "segmentation": segmentation,
    }


def _target(first: int, target: Target, kinds: Sequence[str]) -> Entry:
    """REFER's fields of a single target."""
    (thing,) = target.things
    return {"ann_id": first + thing, "category_id": category_id(kinds[thing])}


def _targets(first: int, target: Target, kinds: Sequence[str]) -> Entry:
    """The same fields in gRefCOCO's files, which hold lists, and -1 where there is no target."""
    return {
        "ann_id": [first + thing for thing in target.things] or [-1],
        "category_id": [category_id(kinds[thing]) for thing in target.things] or [-1],
        "no_target": not target.things,
    }


def _sentences(ref_id: int, target: Target) -> Entry:
    numbered = [
        (ref_id * _SENTENCES_PER_REF + place, sentence)
        for place, sentence in enumerate(target.sentences)
    ]
    return {
        "sent_ids": [sent_id for sent_id, _ in numbered],
        "sentences": [
            {
                "raw": sentence.text,
                "sent": sentence.text,
                "sent_id": sent_id,
                "tokens": sentence.text.split(),
                "needs": list(sentence.needs),
            }
            for sent_id, sentence in numbered
        ],
    }


def _provenance(sent_id: int, sentence: Sentence) -> Entry:
    return {
        "sent_id": sent_id,
        "program": _plain(sentence.program),
        "needs": list(sentence.needs),
        "minimal": sentence.minimal,
    }


def _plain(meaning: Meaning) -> Entry:
    named = meaning.place if isinstance(meaning, Program) else meaning
    kind = None if named is None else type(named).__name__.lower()
    return {**asdict(meaning), "kind": kind}
