"""How fast images and masks arrive, and how long training waits for them, as JSON.

Run it as ``python tests/loader_measure.py [samples|waiting|memory ...]``. The photographs are
noise with the spectrum of natural images, 640x480, JPEG of quality 92: 170 kB each, as COCO's.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from photographs import photograph

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._decode_crew import DecodeCrew
from remamber.datasets._split_reader import SplitReader
from remamber.models._text_word import WordTokenizer
from remamber.plan.spec import DataSpec, RunSpec, TrainSpec
from remamber.tasks import TaskContext
from remamber.tasks._batches import TrainingBatches
from remamber.tasks._bench import open_bench, train_step
from remamber.tasks._optimiser import Length

WORKERS = (0, 1, 2, 4)


def write(root, *, images, files, refs_an_image=1, height=480, width=640):
    """A data set in RefCOCO's layout whose images share a few files; three expressions a ref."""
    pictures = root / "train2014"
    pictures.mkdir(parents=True)
    (root / "refcoco").mkdir()
    for seed in range(files):
        picture = photograph(seed, height=height, width=width)
        picture.save(pictures / f"{seed}.jpg", quality=92)
    rows = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
    refs = []
    for image_id in range(images):
        name = f"{image_id % files}.jpg"
        rows["images"].append({"id": image_id, "file_name": name, "height": height, "width": width})
        for _ in range(refs_an_image):
            _describe(len(refs), image_id, rows, refs, height=height, width=width)
    (root / "refcoco" / "instances.json").write_text(json.dumps(rows))
    (root / "refcoco" / "refs(unc).json").write_text(json.dumps(refs))


def _describe(ref_id, image_id, rows, refs, *, height, width):
    rng = np.random.default_rng([1, ref_id])
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    reach = rng.uniform(0.1, 0.3) * height * rng.uniform(0.8, 1.2, 60)
    x = width * rng.uniform(0.3, 0.7) + reach * np.cos(angles)
    y = height * rng.uniform(0.3, 0.7) + reach * np.sin(angles)
    polygon = np.stack([x.clip(0, width), y.clip(0, height)], axis=1).round(2).ravel().tolist()
    rows["annotations"].append(
        {"id": ref_id, "image_id": image_id, "category_id": 1, "segmentation": [polygon]}
    )
    sentences = [
        {"sent_id": 3 * ref_id + k, "sent": text, "raw": text, "tokens": text.split()}
        for k, text in enumerate(("the thing", "thing on the left", "a large thing here"))
    ]
    split = "val" if ref_id % 100 == 99 else "train"
    refs.append(
        {
            "ref_id": ref_id,
            "ann_id": ref_id,
            "image_id": image_id,
            "category_id": 1,
            "split": split,
            "sent_ids": [sentence["sent_id"] for sentence in sentences],
            "sentences": sentences,
        }
    )


def opened(root, size):
    return open_dataset(DataSpec(name="refcoco", image_size=size, splits=("val",)), place(root))


def place(root, loaders=None):
    return DataPlace(root=root, workers=os.cpu_count() or 1, loaders=loaders)


def samples_per_second(root, *, size=256, count=400, batch=16):
    """Image and mask of distinct refs, nothing of which is in memory, from 640x480 JPEG."""
    dataset = opened(root, size)
    refs = dataset.refs("train")[:count]
    groups = [range(i, min(i + batch, len(refs))) for i in range(0, len(refs), batch)]
    found = {}
    for workers in WORKERS * 2:
        crew = DecodeCrew(workers)
        try:
            reader = SplitReader(dataset, refs, size=size, cache_bytes=0, crew=crew)
            _read(reader, groups[:4])
            before, started = _cpu_seconds(), time.perf_counter()
            _read(reader, groups)
            seconds = time.perf_counter() - started
            own, theirs = (now - then for now, then in zip(_cpu_seconds(), before, strict=True))
            rate = {
                "samples_per_s": round(len(refs) / seconds, 1),
                "own_cpu_ms": round(1e3 * own / len(refs), 2),
                "processes_cpu_ms": round(1e3 * theirs / len(refs), 2),
            }
        finally:
            crew.close()
        best = found.get(workers)
        if best is None or rate["samples_per_s"] > best["samples_per_s"]:
            found[workers] = rate
    return found


def _cpu_seconds():
    """Of this process and of its children."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return time.process_time(), sum(t.user + t.system for t in times)


def _read(reader, groups, ahead=6):
    for number, group in enumerate(groups):
        for coming in groups[:ahead] if not number else groups[number + ahead - 1 :][:1]:
            reader.prepare(coming)
        reader.images(group)
        reader.masks(group)


def waiting(root, *, size, steps, workers, batch=8):
    """Share of the training time in which the tiny model waits for its next batch."""
    spec = RunSpec(
        data=DataSpec(name="refcoco", image_size=size, splits=("val",)),
        train=TrainSpec(steps=steps, batch=batch),
    )
    context = TaskContext(root, place(root, workers), lambda event: None, lambda: False)
    with open_bench(spec, context) as bench:
        for step in range(2):
            train_step(bench, bench.batches.at(step))
        waited, started = 0.0, time.perf_counter()
        for step in range(2, steps):
            asked = time.perf_counter()
            made = bench.batches.at(step)
            waited += time.perf_counter() - asked
            train_step(bench, made)
        seconds = time.perf_counter() - started
        return {
            "processes": bench.crew.processes,
            "wait_share": round(waited / seconds, 4),
            "step_ms": round(1e3 * seconds / (steps - 2), 1),
        }


def memory(root, *, size=256, batch=16, workers=2):
    """Resident memory over one epoch of 120,000 expressions, of the run and of its processes."""
    started = time.perf_counter()
    dataset = opened(root, size)
    refs = dataset.refs("train")
    opening = time.perf_counter() - started
    crew = DecodeCrew(workers)
    length = Length(len(refs) // batch, len(refs) // batch)
    texts = [e.text for ref in refs for e in ref.expressions]
    batches = TrainingBatches(
        dataset,
        refs,
        size=size,
        batch=batch,
        tokenizer=WordTokenizer(texts, length=20),
        length=length,
        seed=0,
        crew=crew,
    )
    rows = []
    try:
        for step in range(length.steps):
            batches.at(step)
            if step % (length.steps // 8) == 0:
                rows.append(_resident(step / length.steps))
    finally:
        crew.close()
        batches.close()
    return {
        "expressions": len(texts),
        "refs": len(refs),
        "opening_s": round(opening, 2),
        "epoch_s": round(time.perf_counter() - started - opening, 1),
        "epoch": rows,
    }


def _resident(done):
    own = psutil.Process()
    return {
        "done": round(done, 2),
        "own_mb": own.memory_info().rss // 2**20,
        "processes_mb": [child.memory_info().rss // 2**20 for child in own.children()],
    }


def main(wanted):
    """Print what is measured as one JSON document."""
    measured = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if {"samples", "waiting"} & wanted:
            write(root / "photographs", images=2000, files=200)
        if "samples" in wanted:
            measured["samples"] = samples_per_second(root / "photographs")
        if "waiting" in wanted:
            measured["waiting"] = {
                f"{size} px, {workers} processes": waiting(
                    root / "photographs", size=size, steps=steps, workers=workers
                )
                for size, steps in ((64, 40), (256, 8))
                for workers in (0, 2)
            }
        if "memory" in wanted:
            small = {"height": 120, "width": 160}
            write(root / "many", images=16_000, files=200, refs_an_image=3, **small)
            measured["memory"] = memory(root / "many")
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main(set(sys.argv[1:]) or {"samples", "waiting", "memory"})
