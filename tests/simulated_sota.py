"""Records of the comparison with published systems that no model made: trained and evaluated."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from simulated_study import ENVIRONMENT, costs, curves, drawn

from remamber.plan.question import Analysis, load_analysis
from remamber.plan.spec import RunSpec
from remamber.plan.study import StudyRuns, studies_folder
from remamber.record.schema import Record, counts_place
from remamber.record.store import Store

IMAGES = 12
PROTOCOLS = ("orig-bilinear-0.5", "release", "lavt", "cris")
SKILL = {"remamber": 0.62, "lavt": 0.55}
SPLITS = {"refcocog": ("val", "test")}
_SHIFT = {"release": -0.01, "lavt": 0.02, "cris": 0.04}


@dataclass
class SimulatedSota:
    """A store with a study's runs and with evaluations beside them."""

    store: Store
    run_ids: list[str] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)

    @property
    def analysis(self) -> Analysis:
        return load_analysis(studies_folder("analysis") / "sota.toml")

    @property
    def runs(self) -> StudyRuns:
        return StudyRuns(
            study="sota",
            profile="paper",
            run_ids=tuple(self.run_ids),
            rows=self.rows,
            datasets=self.datasets,
            command="remamber-bench ablate sota",
            status="finished",
        )

    def train(
        self,
        model: str,
        data: str,
        *,
        seed: int = 0,
        recorded: bool = True,
        status: str = "ok",
        **more,
    ) -> None:
        spec = spec_of("train", model, data, train={"epochs": 40}, seed=seed, **more)
        self.run_ids.append(spec.run_id)
        self.rows[spec.run_id] = model
        self.datasets[spec.run_id] = data
        if recorded:
            self.write(spec, skill=SKILL[model], status=status)

    def evaluate(
        self,
        model: str,
        data: str,
        *,
        digest: str,
        holds: str = "model",
        images: int = IMAGES,
        **more,
    ) -> Record:
        weights = {"holds": holds, "sha256": digest * 32}
        spec = spec_of("evaluate", model, data, weights=weights, **more)
        return self.write(spec, skill=SKILL[model], images=images)

    def write(
        self, spec: RunSpec, *, skill: float, images: int = IMAGES, status: str = "ok"
    ) -> Record:
        trained = spec.task == "train" and status == "ok"
        record = Record(
            run_id=spec.run_id,
            digest=spec.digest,
            spec=spec,
            status=status,
            command="remamber-bench",
            started="2026-01-02T03:04:05+00:00",
            finished="2026-01-02T03:05:45+00:00",
            wall_s=100.0,
            environment=ENVIRONMENT,
            data={"name": spec.data.name, "weights": "model.safetensors"},
            measurements=tuple(costs("channel")) if trained else (),
            curves=curves(skill, spec.seed) if trained else {},
        )
        counts = packed(spec, skill=skill, images=images) if status == "ok" else None
        return self.store.write_record(record, counts=counts)


def spec_of(
    task: str, model: str, data: str, *, protocols=PROTOCOLS, limit=None, **more
) -> RunSpec:
    content = {
        "task": task,
        "model": {"name": model, "size": "base"},
        "data": {
            "name": data,
            "image_size": 480,
            "splits": SPLITS.get(data, ("val", "testA", "testB")),
            "fingerprint": "f00d" * 4,
        },
        "evaluate": {"protocols": protocols, "limit": limit},
    }
    return RunSpec.model_validate({**content, **more})


def packed(spec: RunSpec, *, skill: float, images: int) -> bytes:
    """Counts of every split by every protocol, which differ as protocols do."""
    protocols = spec.evaluate.protocols
    stream = io.BytesIO()
    arrays = {
        f"{counts_place(split, protocol, first=protocols[0])}/{name}": array
        for split in spec.data.splits
        for protocol in protocols
        for name, array in drawn(
            split, skill=skill + _SHIFT.get(protocol, 0.0), seed=spec.seed, images=images
        ).items()
    }
    np.savez(stream, **arrays)
    return stream.getvalue()


def paper_study(root: Path) -> SimulatedSota:
    """Both models on RefCOCO and G-Ref; LAVT's run on G-Ref has no record yet."""
    study = SimulatedSota(Store(root))
    for data in ("refcoco", "refcocog"):
        for model in SKILL:
            study.train(model, data, recorded=(model, data) != ("lavt", "refcocog"))
    return study


def synthetic_study(root: Path) -> SimulatedSota:
    """Both models on generated data."""
    study = SimulatedSota(Store(root))
    for model in SKILL:
        study.train(model, "synth-refcoco")
    return study
