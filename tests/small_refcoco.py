"""A small data set in RefCOCO's exact layout: two or three coloured shapes on grey.

Polygons, ``refs(unc).p`` as Python 2 wrote it, COCO's file names in ``instances.json`` and the
names with an annotation suffix, which no file has, in the refs.
"""

import io
import json
import math
import pickle
import random
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLOURS = {
    "red": (208, 48, 48),
    "green": (48, 168, 64),
    "blue": (48, 80, 208),
    "yellow": (232, 200, 48),
}
SHAPES = {"ball": (37, "sports ball"), "book": (84, "book"), "kite": (38, "kite")}
SPLITS = ("train", "val", "testA", "testB")


@dataclass(frozen=True)
class SmallRefcoco:
    """Where the parts of the written data set are."""

    root: Path
    instances: Path
    refs: Path
    images: Path


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2's byte strings, as the pickles in circulation have it."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_str(self, text):
        raw = text.encode("latin1")
        if not self.bin:
            self.write(pickle.STRING + repr(raw)[1:].encode() + b"\n")
        elif len(raw) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(text)

    dispatch[str] = save_str


def python2_pickle(content: Any, *, protocol: int = 2) -> bytes:
    """A pickle whose strings are Python 2's byte strings."""
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=protocol).dump(content)
    return stream.getvalue()


def write_small_refcoco(
    root: Path,
    images: int = 12,
    *,
    seed: int = 0,
    folder: str = "refcoco",
    split_by: str = "unc",
    image_folder: str = "train2014",
    splits: tuple[str, ...] = SPLITS,
    width: int = 96,
    height: int = 72,
) -> SmallRefcoco:
    """Write the data set; half of the images are for training, the rest shared by the others."""
    rng = random.Random(seed)
    pictures = root / image_folder
    pictures.mkdir(parents=True, exist_ok=True)
    (root / folder).mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "refs": []}
    for number in range(images):
        image_id = 581_857 - 113 * number
        name = f"COCO_train2014_{image_id:012d}.jpg"
        rows["images"].append(
            {"id": image_id, "file_name": name, "height": height, "width": width, "license": 1}
        )
        things = _scene(rng, width, height)
        _draw(things, width, height).save(pictures / name, quality=95)
        split = splits[0] if number < images // 2 else splits[1:][number % (len(splits) - 1)]
        for thing in things:
            _describe(thing, things, image_id, split, rows)
    instances = root / folder / "instances.json"
    categories = [{"id": i, "name": name, "supercategory": "toy"} for i, name in SHAPES.values()]
    info = {"description": "coloured shapes", "version": "1.0"}
    content = {"info": info, "licenses": [], "categories": categories}
    instances.write_text(json.dumps({**content, **{k: rows[k] for k in ("images", "annotations")}}))
    refs = root / folder / f"refs({split_by}).p"
    refs.write_bytes(python2_pickle(rows["refs"]))
    return SmallRefcoco(root, instances, refs, pictures)


def _scene(rng: random.Random, width: int, height: int) -> list[dict[str, Any]]:
    """Two or three things side by side, no two of one colour."""
    count = rng.choice((2, 3))
    things = []
    for place, colour in enumerate(rng.sample(sorted(COLOURS), count)):
        shape = rng.choice(sorted(SHAPES))
        reach = rng.uniform(0.30, 0.44) * min(width / count, height)
        x = (place + 0.5) * width / count
        y = rng.uniform(reach + 1, height - reach - 1)
        things.append({"shape": shape, "colour": colour, "polygon": _outline(shape, x, y, reach)})
    return things


def _outline(shape: str, x: float, y: float, reach: float) -> list[float]:
    corners = {"ball": 24, "book": 4, "kite": 3}[shape]
    turn = math.pi / 4 if shape == "book" else -math.pi / 2
    angles = [turn + 2 * math.pi * corner / corners for corner in range(corners)]
    points = [(x + reach * math.cos(a), y + reach * math.sin(a)) for a in angles]
    return [round(value, 2) for point in points for value in point]


def _draw(things: list[dict[str, Any]], width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), (150, 150, 150))
    draw = ImageDraw.Draw(image)
    for thing in things:
        draw.polygon(thing["polygon"], fill=COLOURS[thing["colour"]])
    return image


def _describe(
    thing: dict[str, Any],
    things: list[dict[str, Any]],
    image_id: int,
    split: str,
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    """Add a thing's annotation and ref to the rows."""
    polygon = thing["polygon"]
    left, top = min(polygon[0::2]), min(polygon[1::2])
    wide, tall = max(polygon[0::2]) - left, max(polygon[1::2]) - top
    ref_id = len(rows["refs"])
    ann_id = 1_719_310 + 7 * ref_id
    category_id = SHAPES[thing["shape"]][0]
    rows["annotations"].append(
        {
            "id": ann_id,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [left, top, wide, tall],
            "area": wide * tall,
            "iscrowd": 0,
            "segmentation": [polygon],
        }
    )
    ends = {0: "on the left", len(things) - 1: "on the right"}
    side = ends.get(things.index(thing), "in the middle")
    texts = [f"{thing['colour']} {thing['shape']}", f"the {thing['shape']} {side}"]
    first = 3 * ref_id
    rows["refs"].append(
        {
            "ref_id": ref_id,
            "ann_id": ann_id,
            "category_id": category_id,
            "image_id": image_id,
            "split": split,
            "file_name": f"COCO_train2014_{image_id:012d}_{ref_id}.jpg",
            "sent_ids": [first + k for k in range(len(texts))],
            "sentences": [
                {
                    "raw": text.capitalize() + ".",
                    "sent": text,
                    "sent_id": first + k,
                    "tokens": text.split(),
                }
                for k, text in enumerate(texts)
            ],
        }
    )
