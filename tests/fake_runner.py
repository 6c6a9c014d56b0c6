"""A runner without a model: what it does is said in the request's command, a word a seed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RUNNER = (sys.executable, __file__)
STARTED = "2026-01-01T00:00:00+00:00"


def fake_record(spec: Any, **changes: Any) -> Any:
    """A record as a real run of that spec would leave it, with numbers made from its hash."""
    from remamber.record.environment import environment
    from remamber.record.schema import Measurement, Record

    numbers = [
        ("parameters", 1_900_000.0, "parameters", {"part": "total"}),
        ("step_s", 0.11, "seconds", {}),
        ("train_s", 55.0, "seconds", {}),
    ]
    if spec.task == "bounds":
        numbers = [
            (metric, 0.2, "fraction", {"split": split, "bound": bound})
            for metric in ("mIoU", "oIoU", "Pr@50")
            for split in spec.data.splits
            for bound in ("predict-all", "whole-image", "mean-mask", "stride-4", "stride-8")
        ]
    measured = [Measurement(metric=m, value=v, unit=u, where=w) for m, v, u, w in numbers]
    content = {
        "run_id": spec.run_id,
        "digest": spec.digest,
        "spec": spec,
        "status": "ok",
        "command": "remamber-bench ablate scans",
        "started": STARTED,
        "finished": STARTED,
        "wall_s": 60.0,
        "environment": environment(device="cpu", threads=2, scan_backend="cpu"),
        "measurements": tuple(measured),
    }
    return Record.model_validate(content | changes)


def scored(spec: Any) -> tuple[list[Any], bytes]:
    """Measurements and counts of a training run, drawn so that every ordering differs a little."""
    from simulated_study import ORDERS, accuracy, drawn, packed

    row = ORDERS.index(spec.model.fusion.scan_order)
    splits = {
        split: drawn(split, skill=0.35 + 0.02 * row, seed=spec.seed, images=20, row=row)
        for split in spec.data.splits
    }
    splits["val+shuffled-text"] = drawn("val", skill=0.2, seed=spec.seed, images=20, row=row + 5)
    return accuracy(splits), packed(splits)


def say(kind: str, run_id: str, **more: Any) -> None:
    print(json.dumps({"kind": kind, "run_id": run_id, **more}), flush=True)


def _do(word: str, spec: Any, store: Any) -> int:
    run_id = spec.run_id
    total = spec.train.steps if spec.train and spec.train.steps else 3
    say("start", run_id, done=0, total=total)
    for step in range(1, min(total, 3) + 1):
        say("step", run_id, done=step, total=total, values={"loss": 1 / step, "step_s": 0.01})
    match word:
        case "error":
            store.write_record(fake_record(spec, status="error", error="it broke\nat line 3"))
            say("failed", run_id, what="error", message="it broke")
            print("Traceback of the broken run", file=sys.stderr)
            return 4
        case "refuse":
            say("failed", run_id, what="error", message="no space left on the disk")
            return 3
        case "kill":
            print("about to be killed", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "orphan":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            os.kill(os.getpid(), signal.SIGKILL)
        case "late-crash":
            _finish(spec, store)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "slow" | "stubborn":
            return _wait_for_the_end(word, run_id, total)
    _finish(spec, store)
    say("finished", run_id, done=total, total=total, values={"mIoU": 0.382})
    return 0


def _finish(spec: Any, store: Any) -> None:
    if spec.speed is not None:
        from simulated_speed import speed_record

        store.write_record(speed_record(spec))
        return
    if spec.kernels is not None:
        from simulated_kernels import kernel_record

        store.write_record(kernel_record(spec))
        return
    record = fake_record(spec)
    if spec.task != "train":
        store.write_record(record)
        return
    measured, counts = scored(spec)
    measurements = (*record.measurements, *measured)
    store.write_record(record.model_copy(update={"measurements": measurements}), counts=counts)


def _wait_for_the_end(word: str, run_id: str, total: int) -> int:
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, frame: asked.append(n))
    say("note", run_id, message="waiting")
    while not asked or word == "stubborn":
        time.sleep(0.01)
    say("stopped", run_id, done=3, total=total)
    return 130


def main() -> int:
    from remamber.plan.spec import RunSpec
    from remamber.record.store import Claimed, Store

    asked = json.loads(sys.stdin.read())
    spec = RunSpec.model_validate(asked["spec"])
    store = Store(Path(asked["store"]))
    log = store.root / "fake_runner.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if asked["action"] == "calibrate":
        with log.open("a") as stream:
            stream.write(f"calibrate {spec.model.fusion.scan_order}\n")
        if "calibrate=slow" in os.environ.get("FAKE_RUNNER", ""):
            time.sleep(60)
        share = int(hashlib.sha256(spec.model.fusion.scan_order.encode()).hexdigest()[:2], 16) / 255
        values = {"parameters": 1.9e6, "step_s": 0.1 + 0.1 * share, "peak_bytes": 1e9}
        say("calibrated", spec.run_id, values=values)
        return 0
    words = dict(
        pair.split("=") for pair in os.environ.get("FAKE_RUNNER", "").split() if "=" in pair
    )
    key = spec.model.fusion.scan_order if spec.task == "train" else spec.task
    key = spec.kernels.case if spec.kernels is not None else key
    key = str(spec.speed.image_size) if spec.speed is not None else key
    word = words.get(f"s{spec.seed}") or words.get(key, "ok")
    while True:
        try:
            with store.claim(spec):
                if store.find(spec) is not None:
                    say("finished", spec.run_id)
                    return 0
                with log.open("a") as stream:
                    stream.write(f"run {spec.run_id}\n")
                return _do(word, spec, store)
        except Claimed:
            say("waiting", spec.run_id)
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
