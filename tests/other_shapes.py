"""The small data set of ``small_refcoco`` as CRIS has it, and what any shape says of it."""

import io
import json
import pickle
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from pycocotools import mask as coco
from small_refcoco import SmallRefcoco, write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._segmentation import decode
from remamber.plan.spec import DataSpec

COCO_80 = [i for i in range(1, 91) if i not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]


class Content(NamedTuple):
    """What REFER's two files of the small data set hold."""

    small: SmallRefcoco
    instances: dict[str, Any]
    refs: list[dict[str, Any]]

    def image(self, ref):
        return next(row for row in self.instances["images"] if row["id"] == ref["image_id"])

    def annotation(self, ref):
        return next(row for row in self.instances["annotations"] if row["id"] == ref["ann_id"])

    def jpeg(self, ref):
        return (self.small.images / self.image(ref)["file_name"]).read_bytes()

    def counts(self, ref):
        """How many parts of the target cover each pixel, as REFER's ``getMask`` sums them."""
        row, image = self.annotation(ref), self.image(ref)
        parts = row["segmentation"]
        rles = coco.frPyObjects(parts, image["height"], image["width"])
        return _decoded(rles if isinstance(rles, list) else [rles]).sum(axis=2)

    def splits(self):
        return list(dict.fromkeys(ref["split"] for ref in self.refs))


def write_content(root: Path, **options: Any) -> Content:
    """The small data set with an object of two overlapping parts and one of run lengths."""
    small = write_small_refcoco(root, **options)
    instances = json.loads(small.instances.read_text())
    first, second = instances["annotations"][:2]
    left, top, wide, tall = first["bbox"]
    first["segmentation"] = [
        _box(left, top, wide * 0.7, tall),
        _box(left + wide * 0.4, top, wide * 0.6, tall * 0.8),
    ]
    size = instances["images"][0]
    (rle,) = coco.frPyObjects(second["segmentation"], size["height"], size["width"])
    flat = _decoded([rle])[:, :, 0].T.reshape(-1)
    runs = np.diff(np.flatnonzero(np.diff(flat, prepend=2, append=2)))
    counts = [*([0] if flat[0] else []), *(int(run) for run in runs)]
    second["segmentation"] = {"size": [size["height"], size["width"]], "counts": counts}
    small.instances.write_text(json.dumps(instances))
    return Content(small, instances, pickle.loads(small.refs.read_bytes(), encoding="latin1"))


def _decoded(rles: list[Any]) -> np.ndarray:
    with warnings.catch_warnings():
        # pycocotools has not followed NumPy 2.
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(coco.decode(rles))


def _box(x: float, y: float, wide: float, tall: float) -> list[float]:
    return [x, y, x + wide, y, x + wide, y + tall, x, y + tall]


def told_by_refer(content: Content, rule: str = "union") -> dict[str, list[Any]]:
    """What the refer layout's own reader says: by split, sorted (image, texts, mask)."""
    spec = DataSpec(name=content.small.instances.parent.name, mask_rule=rule)
    dataset = open_dataset(spec, DataPlace(root=content.small.root))
    names = {row["id"]: row["file_name"] for row in content.instances["images"]}
    return {
        split: sorted(
            (
                names[ref.image_id],
                tuple(e.text for e in ref.expressions),
                _packed(dataset.mask(ref)),
            )
            for ref in dataset.refs(split)
        )
        for split in dataset.splits()
    }


def told(source: Any, rule: str = "union") -> dict[str, list[Any]]:
    """The same of a source."""
    found = source.annotations

    def mask(ref):
        entry = found.images[ref.image_id]
        union = np.zeros((entry.height, entry.width), dtype=bool)
        for ann_id in ref.ann_ids:
            union |= decode(found.segmentations[ann_id], entry.height, entry.width, rule=rule)
        return union

    return {
        split: sorted(
            (
                found.images[ref.image_id].file_name,
                tuple(e.text for e in ref.expressions),
                _packed(mask(ref)),
            )
            for ref in refs
        )
        for split, refs in found.splits.items()
    }


def _packed(mask: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return mask.shape, np.packbits(mask).tobytes()


def png(pixels: np.ndarray, mode: str = "L") -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(pixels.astype(np.uint8))
    if mode == "P":
        image = Image.frombytes("P", image.size, pixels.astype(np.uint8).tobytes())
    image.save(stream, "PNG")
    return stream.getvalue()


def cris_row(ref: dict[str, Any], content: Content) -> dict[str, Any]:
    left, top, wide, tall = (int(value) for value in content.annotation(ref)["bbox"])
    return {
        "bbox": [left, top, left + wide, top + tall],
        "cat": COCO_80.index(ref["category_id"]),
        "segment_id": ref["ref_id"],
        "img_name": content.image(ref)["file_name"],
        "sentences": [
            {"idx": k, "sent_id": s["sent_id"], "sent": s["sent"].strip()}
            for k, s in enumerate(ref["sentences"])
        ],
        "sentences_num": len(ref["sentences"]),
    }


def write_cris(content: Content, root: Path, name: str = "refcoco") -> Path:
    """``anns/NAME/SPLIT.json`` and ``masks/NAME/REF_ID.png`` as CRIS's tool writes them."""
    anns, masks = root / "anns" / name, root / "masks" / name
    anns.mkdir(parents=True)
    masks.mkdir(parents=True)
    for split in content.splits():
        rows = [cris_row(ref, content) for ref in content.refs if ref["split"] == split]
        (anns / f"{split}.json").write_text(json.dumps(rows))
    for ref in content.refs:
        # The tool multiplies bytes: where two parts overlap it writes 254.
        (masks / f"{ref['ref_id']}.png").write_bytes(png(content.counts(ref) * np.uint8(255)))
    return anns


def lmdb_row(ref: dict[str, Any], content: Content) -> dict[str, Any]:
    row = cris_row(ref, content)
    return {
        "img": content.jpeg(ref),
        "mask": png(content.counts(ref) * np.uint8(255)),
        "cat": row["cat"],
        "seg_id": ref["ref_id"],
        "img_name": row["img_name"],
        "num_sents": row["sentences_num"],
        "sents": [sentence["sent"] for sentence in row["sentences"]],
    }


def write_lmdb_split(path: Path, rows: list[Any], *, dumps=pickle.dumps, subdir=False) -> Path:
    """An LMDB of rows under '0', '1', ... with ``__keys__`` and ``__len__``."""
    import lmdb

    path.parent.mkdir(parents=True, exist_ok=True)
    environment = lmdb.open(str(path), subdir=subdir, map_size=2**26)
    keys = [str(number).encode("ascii") for number in range(len(rows))]
    with environment.begin(write=True) as transaction:
        for key, row in zip(keys, rows, strict=True):
            transaction.put(key, row if isinstance(row, bytes) else dumps(row))
        transaction.put(b"__keys__", dumps(keys))
        transaction.put(b"__len__", dumps(len(keys)))
    environment.sync()
    environment.close()
    return path


def write_lmdb(content: Content, folder: Path, **options: Any) -> Path:
    """``SPLIT.lmdb`` of every split."""
    for split in content.splits():
        rows = [lmdb_row(ref, content) for ref in content.refs if ref["split"] == split]
        write_lmdb_split(folder / f"{split}.lmdb", rows, **options)
    return folder
