"""A picture as the refer layout holds it: image, annotation and ref entries with stable ids."""

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from remamber.datasets._synthetic.knobs import CATEGORIES, Recipe
from remamber.datasets._synthetic.logic import Program
from remamber.datasets._synthetic.picture import Picture, Sentence, Target

# Ids follow from split and place alone, so that they stay when a split grows.
_SPLIT_BASE = {"train": 1, "val": 2, "testA": 3, "testB": 4, "testC": 5}
_IMAGES_PER_SPLIT = 1_000_000
_OBJECTS_PER_IMAGE = 16
_SENTENCES_PER_REF = 8

Entry = dict[str, Any]


def category_id(category: str) -> int:
    """Number of a category in instances.json, from 1."""
    return CATEGORIES.index(category) + 1


def file_name(style: str, split: str, index: int) -> str:
    """Name of an image file, such as ``synth_refcoco_train_000000.png``."""
    return f"{style.replace('-', '_')}_{split}_{index:06d}.png"


def entries(recipe: Recipe, picture: Picture, *, split: str, index: int) -> Entry:
    """All that the layout's files say of one picture, as plain data.

    Returns:
        ``image``, ``annotations`` and ``refs`` as in COCO and REFER; ``expressions`` with the
        program behind every sentence; ``content_sha256`` over pixels, masks and expressions.
    """
    image_id = _SPLIT_BASE[split] * _IMAGES_PER_SPLIT + index
    name = file_name(recipe.style, split, index)
    side = recipe.knobs.side
    things = picture.scene.things
    kinds = [thing.category for thing in things]
    targets = [(image_id * _OBJECTS_PER_IMAGE + target.thing, target) for target in picture.targets]
    return {
        "split": split,
        "index": index,
        "image": {"id": image_id, "file_name": name, "height": side, "width": side},
        "annotations": [
            _annotation(picture, image_id, number, kind) for number, kind in enumerate(kinds)
        ],
        "refs": [
            _ref(ref_id, target, kinds[target.thing], split=split, image_id=image_id, name=name)
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
            total.update(f"{target.thing}\t{sentence.text}\t{sentence.needs}\n".encode())
    return total.hexdigest()


def _annotation(picture: Picture, image_id: int, number: int, category: str) -> Entry:
    mask = np.asfortranarray(picture.canvas.ids == number + 1, dtype=np.uint8)
    encoded = coco_mask.encode(mask)
    return {
        "id": image_id * _OBJECTS_PER_IMAGE + number,
        "image_id": image_id,
        "category_id": category_id(category),
        "bbox": [float(value) for value in coco_mask.toBbox(encoded)],
        "area": int(coco_mask.area(encoded)),
        "iscrowd": 0,
        # A list of one RLE: exact, and a bare dict is refused by REFER.getMask.
        "segmentation": [
            {"size": [int(n) for n in encoded["size"]], "counts": encoded["counts"].decode("ascii")}
        ],
    }


def _ref(
    ref_id: int, target: Target, category: str, *, split: str, image_id: int, name: str
) -> Entry:
    numbered = [
        (ref_id * _SENTENCES_PER_REF + place, sentence)
        for place, sentence in enumerate(target.sentences)
    ]
    return {
        "ref_id": ref_id,
        "ann_id": ref_id,
        "category_id": category_id(category),
        "image_id": image_id,
        "split": split,
        "file_name": name,
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


def _plain(program: Program) -> Entry:
    place = program.place
    kind = None if place is None else type(place).__name__.lower()
    return {**asdict(program), "kind": kind}
