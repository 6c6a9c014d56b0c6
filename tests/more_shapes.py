"""The small data set of ``small_refcoco`` as MDETR, SeqTR, PolyFormer, hubs and RefClef have it."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from other_shapes import Content, png
from pycocotools import mask as coco
from small_refcoco import python2_pickle


def write_mdetr(content: Content, folder: Path, name: str = "refcoco") -> Path:
    """``finetune_NAME_SPLIT.json``: an image entry an expression, boxes only."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for split in content.splits():
        images, annotations = [], []
        for ref in (ref for ref in content.refs if ref["split"] == split):
            image, annotation = content.image(ref), content.annotation(ref)
            for sentence in ref["sentences"]:
                images.append(
                    {
                        "file_name": "_".join(ref["file_name"].split("_")[:-1]) + ".jpg",
                        "height": image["height"],
                        "width": image["width"],
                        "id": number,
                        "original_id": image["id"],
                        "caption": sentence["sent"],
                        "dataset_name": name,
                        "tokens_negative": [[0, len(sentence["sent"])]],
                    }
                )
                annotations.append(
                    {
                        "area": annotation["area"],
                        "iscrowd": 0,
                        "image_id": number,
                        "category_id": annotation["category_id"],
                        "id": number,
                        "bbox": annotation["bbox"],
                        "original_id": annotation["id"],
                        "tokens_positive": [[0, 3]],
                    }
                )
                number += 1
        rest = {key: content.instances[key] for key in ("info", "licenses", "categories")}
        whole = {**rest, "images": images, "annotations": annotations}
        (folder / f"finetune_{name}_{split}.json").write_text(json.dumps(whole))
    return folder


def write_seqtr(content: Content, path: Path, keys: dict[str, str] | None = None) -> Path:
    """``{split: [rows]}`` with polygons or run lengths; ``keys`` renames the splits."""
    whole: dict[str, list[Any]] = {}
    for ref in content.refs:
        image, annotation = content.image(ref), content.annotation(ref)
        key = (keys or {}).get(ref["split"], ref["split"])
        whole.setdefault(key, []).append(
            {
                "bbox": annotation["bbox"],
                "image_id": image["id"],
                "category_id": annotation["category_id"],
                "height": image["height"],
                "width": image["width"],
                "expressions": [sentence["sent"] for sentence in ref["sentences"]],
                "mask": annotation["segmentation"],
                "data_source": "coco",
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole))
    return path


def polyformer_lines(content: Content, refs: list[dict[str, Any]]) -> list[str]:
    lines = []
    for ref in refs:
        image = base64.b64encode(content.jpeg(ref)).decode()
        mask = base64.b64encode(png(content.counts(ref) == 1, "P")).decode()
        left, top, wide, tall = content.annotation(ref)["bbox"]
        box = f"{left},{top},{left + wide},{top + tall}"
        for k, sentence in enumerate(ref["sentences"]):
            cells = [f"{ref['ref_id']}_{k}", str(ref["image_id"]), sentence["sent"], box]
            lines.append("\t".join([*cells, "1.0,2.0 3.0,4.0", image, mask, "1.0,2.0"]) + "\n")
    return lines


def write_polyformer(content: Content, folder: Path, name: str = "refcoco") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split in content.splits():
        lines = polyformer_lines(content, [r for r in content.refs if r["split"] == split])
        (folder / f"{name}_{split}.tsv").write_text("".join(lines))
    return folder


def jxu124_row(ref: dict[str, Any], content: Content) -> dict[str, Any]:
    image, annotation = content.image(ref), content.annotation(ref)
    return {
        **{key: ref[key] for key in ("sent_ids", "file_name", "ann_id", "ref_id", "image_id")},
        **{key: ref[key] for key in ("split", "sentences", "category_id")},
        "raw_anns": json.dumps(annotation),
        "raw_image_info": json.dumps(image),
        "raw_sentences": json.dumps(ref["sentences"]),
        "image_path": f"coco/train2014/{image['file_name']}",
        "bbox": annotation["bbox"],
        "captions": [sentence["sent"] for sentence in ref["sentences"]],
        "global_image_id": f"coco.{image['id']}",
        "anns_id": f"refcoco.{annotation['id']}",
    }


def lmms_row(ref: dict[str, Any], content: Content) -> dict[str, Any]:
    annotation = content.annotation(ref)
    return {
        "question_id": str(annotation["id"]),
        "image": {"bytes": content.jpeg(ref), "path": ref["file_name"]},
        "question": "Please carefully observe the area circled in the image.",
        "answer": [sentence["sent"] for sentence in ref["sentences"]],
        "segmentation": [float(value) for value in annotation["segmentation"][0]],
        "bbox": [float(value) for value in annotation["bbox"]],
        "iscrowd": 0,
        "file_name": ref["file_name"],
    }


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=3)
    return path


def write_refclef(content: Content, root: Path, *, split_by: str = "berkeley") -> Path:
    """REFER's layout with ids such as ``8756_2``, masks as lists of run lengths, other images."""
    folder, images = root / "refclef", root / "images" / "saiapr_tc-12" / "07" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    names = {row["id"]: f"{row['id']}_{number}" for number, row in _rows(content)}
    annotations = []
    for ref in content.refs:
        row = dict(content.annotation(ref))
        rle = coco.encode(np.asfortranarray((content.counts(ref) > 0).astype(np.uint8)))
        rle["counts"] = rle["counts"].decode()
        annotations.append({**row, "id": names[row["id"]], "segmentation": [rle]})
    pictures = [{**row, "file_name": f"{row['id']}.jpg"} for row in content.instances["images"]]
    for row, old in zip(pictures, content.instances["images"], strict=True):
        source = content.small.images / old["file_name"]
        (images / row["file_name"]).write_bytes(source.read_bytes())
    whole = {**content.instances, "images": pictures, "annotations": annotations}
    (folder / "instances.json").write_text(json.dumps(whole))
    refs = [{**ref, "ann_id": names[ref["ann_id"]]} for ref in content.refs]
    for ref in refs:
        del ref["file_name"]
    (folder / f"refs({split_by}).p").write_bytes(python2_pickle(refs))
    return folder


def _rows(content: Content) -> Any:
    return enumerate(content.instances["annotations"], start=1)
