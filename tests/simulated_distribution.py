"""Records of a distribution study that was never run: every number follows from what is told."""

from typing import Any

import numpy as np
from simulated_study import ENVIRONMENT

from remamber.plan.question import DistributionAnalysis, load_question
from remamber.plan.spec import DataSpec, DistributionSpec, RunSpec, WeightsSpec
from remamber.plan.study import StudyRuns, studies_folder
from remamber.record.schema import Measurement, Record
from remamber.record.store import Store
from remamber.tasks._arrays import packed_arrays

DRAWS = 100
PLACES = ("cube", "after channel scan", "after spatial scan", "output")
LINE = dict(zip(PLACES, (1.0, 0.9, 0.6, 1.0), strict=True))
NEAR = dict(zip(PLACES, (0.8, 0.7, 0.9, 0.8), strict=True))
"""Shares of own neighbours, in the trained model; half the change in the control."""
NOISE = 0.01


def distribution_spec(*, trained: bool = True, weights: str = "a", **more: Any) -> RunSpec:
    wish = DistributionSpec(trained=trained, **more)
    return RunSpec(
        task="distribution",
        data=DataSpec(name="synth-refcoco"),
        weights=WeightsSpec(holds="model", sha256=weights * 64),
        distribution=wish,
    )


def distribution_record(spec: RunSpec) -> tuple[Record, bytes]:
    """As the task leaves it, with the same resamples in every run."""
    wish = spec.distribution
    assert wish is not None
    noise = np.random.default_rng(0).normal(0, NOISE, DRAWS)
    measured: list[Measurement] = []
    arrays: dict[str, Any] = {"similarity": np.eye(8, dtype=np.float32)}
    before = ""
    for stage in (1, 2):
        for place in PLACES:
            tap = f"stage {stage} layer 1 {place}"
            near = NEAR[place] if wish.trained else (NEAR[place] + NEAR["cube"]) / 2
            # The noise of the first place is half of the others': it stays in a difference.
            scale = 0.5 if place == "cube" else 1.0
            _tell(measured, arrays, "own_neighbours", near, scale * noise, tap, groups="image-text")
            _tell(measured, arrays, "probe_accuracy", 0.6, noise, tap, groups="image-text")
            _tell(measured, arrays, "modality_gap", 0.1, noise, tap, groups="image-text")
            _tell(measured, arrays, "line_share", LINE[place], 0 * noise, tap, group="text")
            _tell(measured, arrays, "line_share", 0.5, noise, tap, group="image")
            if before:
                _tell(measured, arrays, "similarity", 0.9, noise, tap, against=before)
            source = "source" if place == "after spatial scan" else "itself"
            for group in ("image", "text"):
                where = {"tap": tap, "group": group, "as": source}
                measured.append(Measurement(metric="points", value=50, unit="count", where=where))
                arrays[f"{tap}/scores/{group}"] = (
                    np.random.default_rng(stage).normal(size=(50, 3)).astype(np.float32)
                )
            for axis, share in enumerate((0.5, 0.2, 0.1), start=1):
                where = {"tap": tap, "axis": str(axis)}
                measured.append(
                    Measurement(
                        metric="explained_variance", value=share, unit="fraction", where=where
                    )
                )
            before = tap
    record = Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status="ok",
        command="remamber-bench pca",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        wall_s=10.0,
        environment=ENVIRONMENT,
        data={"name": "synth-refcoco", "val expressions": 500, "val images": 300},
        measurements=tuple(measured),
    )
    return record, packed_arrays(arrays)


def _tell(
    measured: list[Measurement],
    arrays: dict[str, Any],
    metric: str,
    value: float,
    noise: Any,
    tap: str,
    **where: str,
) -> None:
    place = {"tap": tap, **where}
    measured.append(Measurement(metric=metric, value=value, unit="fraction", where=place))
    name = "/".join([tap, metric, *where.values()])
    arrays[name] = (value + noise).astype(np.float32)


def distribution_store(root: Any, *specs: RunSpec) -> tuple[Store, StudyRuns]:
    store = Store(root)
    specs = specs or (distribution_spec(), distribution_spec(trained=False))
    for spec in specs:
        record, arrays = distribution_record(spec)
        store.write_record(record, arrays=arrays)
    return store, distribution_runs(*specs)


def distribution_runs(*specs: RunSpec) -> StudyRuns:
    return StudyRuns(
        study="distribution",
        profile="quick",
        run_ids=tuple(spec.run_id for spec in specs),
        rows={spec.run_id: f"row {i}" for i, spec in enumerate(specs)},
        trained={spec.run_id: "channel-spatial" for spec in specs},
    )


def distribution_analysis() -> DistributionAnalysis:
    found = load_question(studies_folder("analysis") / "distribution.toml")
    assert isinstance(found, DistributionAnalysis)
    return found
