"""Records of a study that was never trained: counts drawn so that rows differ as told."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from remamber.metrics import measure
from remamber.plan.protocols import DEFAULT, PROTOCOLS
from remamber.plan.question import Analysis, load_analysis
from remamber.plan.spec import RunSpec
from remamber.plan.study import StudyRuns, studies_folder
from remamber.record.schema import Environment, Measurement, Record
from remamber.record.store import Store

ORDERS = ("channel", "spatial", "parallel", "spatial-channel", "channel-spatial")
SKILL = dict(zip(ORDERS, (0.33, 0.40, 0.425, 0.428, 0.43), strict=True))
SPLITS = ("val", "testA", "testB")
ENVIRONMENT = Environment(
    python="3.11.9",
    platform="Linux-6.1-x86_64",
    cpu="Example CPU",
    cores=4,
    threads=4,
    memory_bytes=16 * 2**30,
    device="cpu",
    packages={"torch": "2.13.0", "numpy": "2.4.6"},
    commit="0123456789abcdef0123456789abcdef01234567",
    dirty=False,
    scan_backend="cpu",
)


@dataclass
class Simulated:
    """A store with the runs of one study in it."""

    store: Store
    analysis: Analysis
    run_ids: list[str] = field(default_factory=list)
    bounds_id: str | None = None

    @property
    def runs(self) -> StudyRuns:
        return StudyRuns(
            study="scans",
            profile="quick",
            run_ids=tuple(self.run_ids),
            bounds_ids=(self.bounds_id,) if self.bounds_id else (),
            command="remamber-bench ablate scans",
            status="finished",
        )


def scans_analysis() -> Analysis:
    return load_analysis(studies_folder("analysis") / "scans.toml")


def simulated_study(
    root: Path,
    *,
    skill: dict[str, float] = SKILL,
    seeds: tuple[int, ...] = (0,),
    images: int = 60,
    data: str = "synth-refcoco",
    bounds: bool = True,
) -> Simulated:
    """Run every row for every seed, as it were."""
    study = Simulated(Store(root), scans_analysis())
    for order in skill:
        for seed in seeds:
            add_run(study, order, skill=skill[order], seed=seed, images=images, data=data)
    if bounds:
        add_bounds(study, data=data)
    return study


def spec_of(order: str, *, seed: int = 0, data: str = "synth-refcoco") -> RunSpec:
    return RunSpec.model_validate(
        {
            "seed": seed,
            "model": {"fusion": {"scan_order": order}},
            "data": {"name": data, "fingerprint": "f00d" * 4},
            "train": {"steps": 500},
            "evaluate": {"shuffled_text": True},
        }
    )


def add_run(
    study: Simulated,
    order: str,
    *,
    skill: float,
    seed: int = 0,
    images: int = 60,
    data: str = "synth-refcoco",
    status: str = "ok",
    error: str | None = None,
) -> Record:
    spec = spec_of(order, seed=seed, data=data)
    row = ORDERS.index(order)
    splits = {
        split: drawn(split, skill=skill, seed=seed, images=images, row=row) for split in SPLITS
    }
    splits["val+shuffled-text"] = drawn(
        "val", skill=0.5 * skill, seed=seed, images=images, row=row + len(ORDERS)
    )
    ok = status == "ok"
    record = Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status=status,
        error=error,
        command="remamber-bench ablate scans",
        started="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T03:05:45+00:00",
        wall_s=100.0 + ORDERS.index(order),
        environment=ENVIRONMENT,
        data={"name": data, "preset": "quick", "fingerprint": "f00d" * 4, "val expressions": 180},
        measurements=(*accuracy(splits), *costs(order)) if ok else (),
        curves=curves(skill, seed) if ok else {},
    )
    study.run_ids.append(record.run_id)
    return study.store.write_record(record, counts=packed(splits) if ok else None)


def drawn(
    split: str, *, skill: float, seed: int, images: int, row: int = 0
) -> dict[str, np.ndarray]:
    """Counts whose IoUs share each image's difficulty among all rows; three expressions each."""
    of_split = (*SPLITS, "test").index(split)
    shared = np.random.default_rng([of_split, 7])
    own = np.random.default_rng([of_split, seed, row])
    n = 3 * images
    difficulty = np.repeat(shared.normal(0, 0.15, images), 3) + shared.normal(0, 0.15, n)
    union = shared.integers(50, 900, n)
    iou = np.clip(skill + difficulty + own.normal(0, 0.06, n), 0, 1)
    number = np.arange(n)
    return {
        "image_id": number // 3,
        "ref_id": number // 3,
        "sent_id": number,
        "intersection": (iou * union).astype(np.int64),
        "union": union,
        "target": union,
        **known_of(number, union),
    }


def known_of(number: np.ndarray, union: np.ndarray) -> dict[str, np.ndarray]:
    """What an evaluation knows of every expression besides: the columns that slices are made of."""
    return {
        "image_pixels": np.full(len(number), 64 * 64),
        "truncated": np.zeros(len(number), dtype=np.int64),
        "needs": np.array([2, 8, 9, 4])[number % 4],
        "words": 1 + number % 7,
        "same_class": number // 3 % 4,
        "centre_distance": number // 3 * 17 % 1000,
    }


def packed(splits: dict[str, dict[str, np.ndarray]]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{f"{s}/{k}": v for s, fields in splits.items() for k, v in fields.items()})
    return stream.getvalue()


def accuracy(splits: dict[str, dict[str, np.ndarray]]) -> list[Measurement]:
    return [
        Measurement(
            metric=metric,
            value=measure(metric, counts["intersection"], counts["union"]),
            unit="fraction",
            where={"split": name.partition("+")[0]}
            | ({"control": "shuffled-text"} if "+" in name else {}),
        )
        for name, counts in splits.items()
        for metric in PROTOCOLS[DEFAULT].metrics
    ]


def costs(order: str) -> list[Measurement]:
    i = ORDERS.index(order)
    parts = {"total": 1_900_000 + 1000 * i, "backbone": 900_000, "fusion": 400_000 + 1000 * i}
    return [
        *(
            Measurement(metric="parameters", value=n, unit="parameters", where={"part": part})
            for part, n in parts.items()
        ),
        Measurement(metric="step_s", value=0.11 + 0.01 * i, unit="seconds"),
        Measurement(metric="train_s", value=55.0 + i, unit="seconds"),
        Measurement(metric="scan_share", value=0.18, unit="fraction"),
        Measurement(metric="steps", value=500, unit="steps"),
        Measurement(
            metric="peak_bytes", value=1.2 * 2**30, unit="bytes", where={"kind": "process RSS"}
        ),
    ]


def curves(skill: float, seed: int) -> dict[str, tuple[tuple[float, float], ...]]:
    noise = np.random.default_rng([seed, round(1000 * skill)]).normal(0, 0.06, 400)
    steps = np.linspace(1, 500, 400).round()
    loss = 0.9 - skill + 1.1 * np.exp(-steps / 90) + noise
    probes = [(float(s), skill * (1 - np.exp(-s / 150))) for s in (100, 200, 300, 400)]
    return {
        "loss": tuple(zip(steps.tolist(), loss.tolist(), strict=True)),
        "lr": ((1.0, 0.002), (500.0, 0.0)),
        "val mIoU": tuple((s, float(v)) for s, v in probes),
    }


def add_bounds(study: Simulated, *, data: str = "synth-refcoco") -> Record:
    spec = RunSpec.model_validate({"task": "bounds", "data": {"name": data}})
    values = {"predict-all": 0.37, "whole-image": 0.08, "mean-mask": 0.10} | {
        "stride-4": 0.93,
        "stride-8": 0.81,
    }
    record = Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status="ok",
        command="remamber-bench ablate scans",
        started="2026-01-02T03:04:00+00:00",
        finished="2026-01-02T03:04:05+00:00",
        wall_s=5.0,
        environment=ENVIRONMENT,
        measurements=tuple(
            Measurement(metric=m, value=v, unit="fraction", where={"split": s, "bound": b})
            for s in SPLITS
            for b, v in values.items()
            for m in ("mIoU", "oIoU", "Pr@50")
        ),
    )
    study.bounds_id = record.run_id
    return study.store.write_record(record)
