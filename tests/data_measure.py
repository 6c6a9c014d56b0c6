"""How fast a data set of RefCOCO's size opens, and what memory an epoch over it takes.

    python tests/data_measure.py DIR [--scale 1.0] [--epoch 120000]

Writes a stand-in into DIR (20,000 images without pixels, 200,000 annotations, 142,210
expressions; polygons of COCO's length), converts it, and prints one JSON document. Each opening
is a process of its own.
"""

import argparse
import json
import pickle
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SPLITS = {"train": 42_404, "val": 3_811, "testA": 1_975, "testB": 1_810}
EXPRESSIONS = 142_210
IMAGES, ANNOTATIONS = 20_000, 200_000
WIDTH, HEIGHT = 640, 480
WORDS = ["the", "left", "man", "red", "shirt", "woman", "near", "big", "dog", "of"]

OPEN = """
import json, sys, time
import numpy, psutil, pycocotools.mask
from pathlib import Path
from remamber.datasets import DataPlace, open_dataset
from remamber.plan.spec import DataSpec

def peak_mb():
    # ru_maxrss would start from the parent's.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), None)

me = psutil.Process()
before = me.memory_info().rss
began = time.perf_counter()
dataset = open_dataset(DataSpec(name="refcoco"), DataPlace(root=Path(sys.argv[1])))
opened = time.perf_counter() - began
refs = dataset.refs("train")
ready = time.perf_counter() - began
after = me.memory_info().rss
found = {"class": type(dataset).__name__, "open_s": opened, "open_and_refs_s": ready,
         "expressions": sum(len(r.expressions) for r in refs),
         "rss_before_mb": before / 1e6, "rss_after_mb": after / 1e6,
         "rss_peak_mb": peak_mb()}
wanted = int(sys.argv[2])
if wanted:
    import random
    order = [ref for ref in refs for _ in ref.expressions]
    random.Random(0).shuffle(order)
    private, mapped, began, done = [], [], time.perf_counter(), 0
    for done, ref in enumerate(order[:wanted], 1):
        dataset.mask(ref)
        if done % (wanted // 8) == 0:
            memory = me.memory_info()
            private.append(round((memory.rss - memory.shared) / 1e6, 1))
            mapped.append(round(memory.shared / 1e6, 1))
    found["epoch"] = {"masks": done, "mask_us": 1e6 * (time.perf_counter() - began) / done,
                      "private_mb": private, "mapped_mb": mapped}
print(json.dumps(found))
"""


def main() -> None:
    """Write, convert, open, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--epoch", type=int, default=120_000)
    chosen = parser.parse_args()
    if not (chosen.folder / "refcoco" / "instances.json").exists():
        write_stand_in(chosen.folder, chosen.scale)
    shutil.rmtree(chosen.folder / "refcoco" / "converted(unc)", ignore_errors=True)
    raw = opened(chosen.folder, 0)
    convert = [sys.executable, "-m", "remamber", "data", "convert", "--shape", "refer", "--json"]
    began = time.perf_counter()
    arguments = [str(chosen.folder / "refcoco"), "--to", str(chosen.folder)]
    done = subprocess.run([*convert, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    result = {
        "instances_mb": (chosen.folder / "refcoco" / "instances.json").stat().st_size / 1e6,
        "raw": raw,
        "convert_s": time.perf_counter() - began,
        "convert": {k: v for k, v in json.loads(done.stdout).items() if k in ("written", "bytes")},
        "converted": opened(chosen.folder, chosen.epoch),
    }
    print(json.dumps(result, indent=1))


def opened(root: Path, epoch: int) -> dict[str, object]:
    """What a fresh process measures when it opens the data set."""
    command = [sys.executable, "-c", OPEN, str(root), str(epoch)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def write_stand_in(root: Path, scale: float) -> None:
    """Annotations of RefCOCO's size in REFER's layout; the image files are empty."""
    rng = np.random.default_rng(0)
    images, annotations = int(IMAGES * scale), int(ANNOTATIONS * scale)
    (root / "refcoco").mkdir(parents=True)
    (root / "train2014").mkdir()
    names = [f"COCO_train2014_{i:012d}.jpg" for i in range(images)]
    for name in names:
        (root / "train2014" / name).touch()
    rows = [
        {"id": i, "image_id": i % images, "category_id": 1 + i % 80, "iscrowd": 0,
         "area": 1234.5, "bbox": [1.5, 2.5, 30.0, 40.0], "segmentation": polygons(rng)}
        for i in range(annotations)
    ]  # fmt: skip
    content = {
        "images": [
            {"id": i, "file_name": n, "height": HEIGHT, "width": WIDTH} for i, n in enumerate(names)
        ],
        "annotations": rows,
        "categories": [{"id": i, "name": f"thing {i}"} for i in range(1, 81)],
    }
    (root / "refcoco" / "instances.json").write_text(json.dumps(content))
    refs = refs_of(images, scale)
    (root / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))


def polygons(rng: np.random.Generator) -> list[list[float]]:
    """One outline, or now and then several that may overlap, of 10 to 80 points."""
    found = []
    for _ in range(int(rng.choice([1, 1, 1, 1, 2, 3]))):
        corners = int(rng.integers(10, 80))
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        reach = rng.uniform(10, 100) * rng.uniform(0.8, 1.0, corners)
        x = np.clip(rng.uniform(50, WIDTH - 50) + reach * np.cos(angles), 0, WIDTH)
        y = np.clip(rng.uniform(50, HEIGHT - 50) + reach * np.sin(angles), 0, HEIGHT)
        found.append(np.stack([x, y], axis=1).round(2).reshape(-1).tolist())
    return found


def refs_of(images: int, scale: float) -> list[dict[str, object]]:
    """Refs of every split, each with two or three sentences."""
    words = random.Random(0)
    total = sum(SPLITS.values())
    share = EXPRESSIONS / total
    refs: list[dict[str, object]] = []
    sent_id = 0
    for split, size in SPLITS.items():
        for _ in range(int(size * scale)):
            number = len(refs)
            count = int((number + 1) * share) - int(number * share)
            sentences = []
            for _ in range(count):
                tokens = words.choices(WORDS, k=4)
                text = " ".join(tokens)
                sentences.append({"raw": text, "sent": text, "sent_id": sent_id, "tokens": tokens})
                sent_id += 1
            refs.append(
                {"ref_id": number, "ann_id": number, "image_id": number % images,
                 "category_id": 1 + number % 80, "split": split, "sentences": sentences,
                 "file_name": f"COCO_train2014_{number % images:012d}_{number}.jpg",
                 "sent_ids": [s["sent_id"] for s in sentences]}
            )  # fmt: skip
    return refs


if __name__ == "__main__":
    main()
