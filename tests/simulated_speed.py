"""Records of a speed study that was never timed: every number follows from what is told here."""

from pathlib import Path
from typing import Any

from simulated_study import ENVIRONMENT

from remamber.plan.question import SpeedAnalysis, load_question
from remamber.plan.spec import ModelSpec, RunSpec, SpeedSpec
from remamber.plan.speed import model_key
from remamber.plan.study import StudyRuns, studies_folder
from remamber.record.schema import Measurement, Record
from remamber.record.store import Store

ROUNDS = 10
MIB = 2**20
MODELS = (ModelSpec(size="base"), ModelSpec(name="lavt", size="base"))
KEYS = tuple(map(model_key, MODELS))
SECONDS = dict(zip(KEYS, (1e-5, 1.6e-5), strict=True))
"""Of a pixel; the second model's time is quadratic from there on."""
LARGEST = dict(zip(KEYS, (1024, 768), strict=True))
"""Side of the largest image that fits."""


def speed_spec(image_size: int = 256, **more: Any) -> RunSpec:
    content = {
        "models": MODELS,
        "image_size": image_size,
        "threads": 4,
        "machine": "m",
        "code": "c",
    }
    return RunSpec(task="speed", speed=SpeedSpec.model_validate(content | more))


def seconds_of(key: str, side: int) -> float:
    """Linear in pixels for the first model, with a quadratic part for the other."""
    pixels = side**2
    return SECONDS[key] * pixels * (1 if key == KEYS[0] else 1 + pixels / 256**2)


def speed_record(spec: RunSpec, **changes: Any) -> Record:
    """As the task leaves it."""
    settings = spec.speed
    assert settings is not None
    measured: list[Measurement] = []
    curves: dict[str, tuple[tuple[float, float], ...]] = {}
    data: dict[str, str] = {}
    for key in map(model_key, settings.models):
        if key in settings.skipped:
            data |= {f"status {key}": "skipped_oom", f"reason {key}": "it ran out of memory before"}
        elif settings.image_size > LARGEST.get(key, 10**6):
            data |= {f"status {key}": "oom", f"reason {key}": "its process was ended"}
        else:
            data[f"status {key}"] = "ok"
            _model(key, settings.image_size, measured, curves)
    measured += [_number("cpu_pressure", 0.0, "fraction"), _number("others_cores", 0.01, "count")]
    content = {
        "run_id": spec.run_id,
        "digest": spec.digest,
        "spec": spec,
        "status": "ok",
        "command": "remamber-bench speed",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00",
        "wall_s": 60.0,
        "environment": ENVIRONMENT,
        "measurements": tuple(measured),
        "curves": curves,
        "data": data,
    }
    return Record.model_validate(content | changes)


def speed_analysis() -> SpeedAnalysis:
    found = load_question(studies_folder("analysis") / "resolution.toml")
    assert isinstance(found, SpeedAnalysis)
    return found


def speed_runs(*specs: RunSpec) -> StudyRuns:
    rows = {s.run_id: f"{s.speed.image_size} px" for s in specs if s.speed is not None}
    return StudyRuns(
        study="resolution",
        profile="quick",
        run_ids=tuple(spec.run_id for spec in specs),
        rows=rows,
        command="remamber-bench speed",
        status="finished",
    )


def speed_store(root: Path, sizes: tuple[int, ...] = (256, 512, 1024)) -> tuple[Store, StudyRuns]:
    """A store with a record for every size, and the study's runs."""
    store = Store(root)
    specs = [speed_spec(size) for size in sizes]
    for spec in specs:
        store.write_record(speed_record(spec))
    return store, speed_runs(*specs)


def _model(
    key: str,
    side: int,
    measured: list[Measurement],
    curves: dict[str, tuple[tuple[float, float], ...]],
) -> None:
    for part, share in (("iteration", 1.0), ("text", 0.01)):
        seconds = share * seconds_of(key, side) if key in SECONDS else 0.1 * share
        # Drift that all share, and a little noise of each: ratios see only the latter.
        curve = [
            (
                float(r),
                seconds
                * (1 + 0.1 * r)
                * (1 + 0.005 * ((r * 7 + (key in KEYS and 2 * KEYS.index(key))) % 3 - 1)),
            )
            for r in range(ROUNDS)
        ]
        curves[f"{key} {part} wall"] = tuple(curve)
        where = {"model": key, "part": part}
        median = sorted(s for _, s in curve)[ROUNDS // 2]
        for metric, value in (
            ("time_s", median),
            ("time_p90_s", 1.4 * median),
            ("time_iqr_s", 0.1 * median),
            ("cpu_s", 4 * median),
            ("first_call_s", 3 * median),
        ):
            measured.append(_number(metric, value, "seconds", **where))
        measured.append(_number("blocks", ROUNDS, "count", **where))
        measured.append(_number("steady", 1, "count", **where))
    megabytes = {
        "weights": 400.0,
        "activations": 0.001 * side**2,
        "needed": 400 + 0.001 * side**2 * (1 if key == KEYS[0] else 3),
        "peak": 900 + 0.001 * side**2,
        "rss_peak": 1000 + 0.001 * side**2,
    }
    measured += [_number(f"{n}_bytes", v * MIB, "bytes", model=key) for n, v in megabytes.items()]
    measured.append(_number("parameters", 1e8, "parameters", model=key))


def _number(metric: str, value: float, unit: str, **where: str) -> Measurement:
    return Measurement(metric=metric, value=value, unit=unit, where=where)
