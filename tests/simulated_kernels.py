"""Records of a kernel study that was never timed: every number follows from what is told here."""

from pathlib import Path
from typing import Any

from simulated_study import ENVIRONMENT

from remamber.plan.question import KernelAnalysis, load_question
from remamber.plan.scan_shapes import SHAPES, START_UP
from remamber.plan.spec import KernelsSpec, RunSpec
from remamber.plan.study import StudyRuns, studies_folder
from remamber.record.schema import Measurement, Record
from remamber.record.store import Store

ROUNDS = 10
PASSES = ("forward", "training")
SECONDS = {
    ("scan", "cpu"): 0.002,
    ("scan", "reference"): 0.2,
    ("scan", "loop"): 0.3,
    ("scan", "mambapy"): 0.03,
    ("ss2d", "composed cpu"): 0.005,
    ("ss2d", "fused cpu"): 0.002,
}
ABSENT = {"triton": "no CUDA", "mamba-ssm-ref": "mamba-ssm not installed"}
COPY, PRODUCT = 30e9, 400e9
CASES = ("s1_256", "mamba", START_UP)


def kernel_spec(case: str, **more: Any) -> RunSpec:
    settings = {"case": case, "threads": 4, "machine": "m" * 16, "code": "c" * 16} | more
    return RunSpec(task="kernels", kernels=KernelsSpec.model_validate(settings))


def kernel_record(spec: RunSpec, **changes: Any) -> Record:
    """As the task leaves it; ``transformers`` was too slow to be run."""
    kernels = spec.kernels
    assert kernels is not None
    of = _start_up() if kernels.case == START_UP else _shape(kernels.case)
    content = {
        "run_id": spec.run_id,
        "digest": spec.digest,
        "spec": spec,
        "status": "ok",
        "command": "remamber-bench speed --kernels",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00",
        "wall_s": 60.0,
        "environment": ENVIRONMENT,
        **of,
    }
    return Record.model_validate(content | changes)


def kernel_analysis() -> KernelAnalysis:
    found = load_question(studies_folder("analysis") / "scan_kernels.toml")
    assert isinstance(found, KernelAnalysis)
    return found


def kernel_store(root: Path, cases: tuple[str, ...] = CASES) -> tuple[Store, StudyRuns]:
    """A store with the records of a study, and the study's runs."""
    store = Store(root)
    specs = [kernel_spec(case) for case in cases]
    for spec in specs:
        store.write_record(kernel_record(spec))
    return store, kernel_runs(*specs)


def kernel_runs(*specs: RunSpec) -> StudyRuns:
    return StudyRuns(
        study="scan_kernels",
        profile="quick",
        run_ids=tuple(spec.run_id for spec in specs),
        command="remamber-bench speed --kernels",
        status="finished",
    )


def _shape(case: str) -> dict[str, Any]:
    image = SHAPES[case].image
    found, curves = [], {}
    for which in PASSES:
        for (op, name), seconds in SECONDS.items():
            if op == "ss2d" and not image:
                continue
            where = {"op": op, "implementation": name, "pass": which}
            seconds *= 1 if which == "forward" else 3
            # Drift that all share, and a little noise of each: ratios see only the latter.
            curve = [
                (float(r), seconds * (1 + 0.1 * r) * (1 + 0.01 * ((r * 7 + len(name)) % 3 - 1)))
                for r in range(ROUNDS)
            ]
            curves[f"{op} {name} {which}"] = tuple(curve)
            found.append(_number("time_s", sorted(s for _, s in curve)[ROUNDS // 2], **where))
            found.append(_number("peak_extra_bytes", seconds * 2**30, unit="bytes", **where))
            tensors = ("y",) if which == "forward" else ("y", "du", "dA")
            for tensor in tensors:
                error = _number("error", 2e-7 if tensor == "y" else 6e-7, unit="relative", **where)
                found.append(error.model_copy(update={"where": {**where, "tensor": tensor}}))
        for op in ("scan", "ss2d") if image else ("scan",):
            found.append(_number("perfect_bytes", 12e6, unit="bytes", op=op, **{"pass": which}))
            found.append(_number("flops", 10e6, unit="flop", op=op, **{"pass": which}))
        slow = {"op": "scan", "implementation": "transformers", "pass": which}
        found.append(_number("estimated_s", 41.0, **slow))
    found += [
        _number("copy_bandwidth", COPY, unit="bytes/second"),
        _number("product_rate", PRODUCT, unit="flop/second"),
        _number("compared_channels", SHAPES[case].d, unit="count"),
    ]
    for threads, share in ((1, 1.0), (2, 0.5), (4, 0.3)):
        where = {"op": "scan", "implementation": "cpu", "pass": "forward", "threads": str(threads)}
        found.append(_number("scaling_s", 0.006 * share, **where))
        key = f"scan cpu forward {threads} threads"
        curves[key] = tuple((float(r), 0.006 * share * (1 + 0.1 * r)) for r in range(ROUNDS))
    absent = {f"absent scan {n} {p}": why for n, why in ABSENT.items() for p in PASSES}
    return {"measurements": tuple(found), "curves": curves, "data": absent}


def _start_up() -> dict[str, Any]:
    numbers = (("first_call_s", "empty", 12.0), ("first_call_s", "filled", 0.7))
    found = [
        _number(metric, value, implementation="cpu", cache=cache)
        for metric, cache, value in (*numbers, ("import_s", "filled", 1.5))
    ]
    found.append(_number("cpu_pressure", 0.4, unit="fraction"))
    return {"measurements": tuple(found), "data": {"absent start-up triton": "no CUDA"}}


def _number(metric: str, value: float, *, unit: str = "seconds", **where: str) -> Measurement:
    return Measurement(metric=metric, value=value, unit=unit, where=where)
