"""A run of seconds on a small set in the RefCOCO layout, and the process that executes it."""

import json
import subprocess
import sys

from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.plan.spec import (
    DataSpec,
    EvaluateSpec,
    FusionSpec,
    ModelSpec,
    RunSpec,
    TrainSpec,
)


def tiny_spec(root, *, steps=6, order="spatial", batch=4, **more):
    write_small_refcoco(root, images=12)
    data = DataSpec(name="refcoco", image_size=32, splits=("val", "testA", "testB"))
    dataset = open_dataset(data, DataPlace(root=root))
    return RunSpec(
        model=ModelSpec(fusion=FusionSpec(scan_order=order, depth=1)),
        data=data.model_copy(update={"fingerprint": dataset.fingerprint}),
        train=TrainSpec(steps=steps, batch=batch, lr=1e-3, lr_pretrained=1e-3, warmup_steps=1),
        evaluate=EvaluateSpec(shuffled_text=True, batch=8),
        **more,
    )


def request(spec, store, root, **more):
    return json.dumps(
        {
            "spec": spec.model_dump(mode="json"),
            "store": str(store),
            "place": {"root": str(root)},
            "command": "a test",
            "threads": 1,
            **more,
        }
    )


def start(text):
    process = subprocess.Popen(
        [sys.executable, "-m", "remamber.runner"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process
