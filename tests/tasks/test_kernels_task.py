"""The kernel task end to end on a shape that takes no time."""

from pathlib import Path

import pytest
import torch

from remamber.datasets import DataPlace
from remamber.errors import ExitCode, UserError
from remamber.plan.scan_shapes import SHAPES, ScanShape
from remamber.plan.spec import KernelsSpec, RunSpec
from remamber.tasks import Stopped, TaskContext, _kernel_calls, _kernel_case, find_task
from remamber.tasks._kernel_calls import Implementation
from remamber.tasks._kernel_startup import start_up

SMALL = ScanShape(1, 4, 1, 6, 6)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setitem(SHAPES, "small", SMALL)
    monkeypatch.setitem(_kernel_case.LEAST_BLOCK_S, "cpu", 1e-4)
    monkeypatch.setattr(_kernel_case, "copy_samples", lambda device, stopwatch: [2e10, 3e10])
    monkeypatch.setattr(_kernel_case, "product_samples", lambda device, stopwatch: [1e11])


def run(*, stop_at="", **settings):
    events = []

    def should_stop():
        return bool(stop_at) and any(stop_at in e.what for e in events)

    spec = RunSpec(
        task="kernels",
        kernels=KernelsSpec(case="small", **({"rounds": 6, "cell_s": 5.0} | settings)),
    )
    context = TaskContext(Path("unused"), DataPlace(), events.append, should_stop)
    return find_task("kernels")(spec, context), events


def values(outcome, metric, **where):
    return {
        (m.where["op"], m.where["implementation"], m.where["pass"]): m.value
        for m in outcome.measurements
        if m.metric == metric and where.items() <= m.where.items()
    }


def test_everything_that_is_here_is_timed_weighed_and_compared():
    outcome, events = run()
    times = values(outcome, "time_s")
    for which in ("forward", "training"):
        for key in (("scan", "cpu"), ("scan", "reference"), ("ss2d", "composed cpu")):
            assert times[(*key, which)] > 0
    assert set(values(outcome, "peak_extra_bytes")) == set(times)
    assert set(values(outcome, "error", tensor="y")) == set(times)
    assert max(values(outcome, "error").values()) < 1e-5
    rounds = outcome.curves["scan cpu forward"]
    assert [r for r, _ in rounds] == [0, 1, 2, 3, 4, 5]
    assert all(seconds > 0 for _, seconds in rounds)
    assert outcome.scan_backend == "cpu"
    assert any("timing forward" in e.what and e.total == 6 for e in events)


def test_the_machines_own_limits_stand_in_the_record():
    outcome, _ = run()
    found = {m.metric: m.value for m in outcome.measurements if not m.where}
    assert found["copy_bandwidth"] == 2.5e10
    assert found["product_rate"] == 1e11
    assert found["compared_channels"] == SMALL.d


def test_what_would_take_too_long_leaves_an_estimate_and_no_time():
    outcome, _ = run(cell_s=1e-7)
    assert values(outcome, "time_s") == {}
    estimates = values(outcome, "estimated_s")
    assert estimates[("scan", "loop", "training")] > 1e-7


def test_an_implementation_that_fails_is_a_line_and_the_others_go_on(monkeypatch):
    def broken(problem, which):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    def some(problem):
        real = _kernel_calls.implementations(problem)
        return [Implementation("scan", "broken", broken), *real]

    monkeypatch.setattr(_kernel_case, "implementations", some)
    outcome, _ = run()
    assert outcome.data["absent scan broken forward"] == "out of memory"
    assert ("scan", "cpu", "training") in values(outcome, "time_s")


def test_what_is_not_here_says_why():
    outcome, _ = run()
    missing = {k: v for k, v in outcome.data.items() if k.startswith("absent ")}
    assert set(missing.values()) <= {"no CUDA", "mamba-ssm not installed", "no fused form"}


def test_it_stops_between_two_rounds_when_asked():
    with pytest.raises(Stopped):
        run(stop_at="timing training")


def test_threads_are_scaled_on_large_shapes_and_put_back(monkeypatch):
    monkeypatch.setattr(_kernel_case, "LARGE", 1)
    before = torch.get_num_threads()
    outcome, _ = run()
    scaled = {m.where["threads"] for m in outcome.measurements if m.metric == "scaling_s"}
    assert scaled == ({"1", str(before)} if before > 1 else set())
    assert torch.get_num_threads() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_where_there_is_none_is_refused_with_what_to_do():
    with pytest.raises(UserError, match="sees no CUDA GPU") as refused:
        run(device="cuda")
    assert refused.value.exit_code is ExitCode.MISSING
    assert refused.value.fix == ("--device cpu",)


def test_a_spec_without_its_section_is_refused():
    context = TaskContext(Path("unused"), DataPlace(), lambda e: None, lambda: False)
    with pytest.raises(UserError, match="needs a kernels section"):
        find_task("kernels")(RunSpec(task="kernels"), context)


@pytest.mark.slow
def test_the_first_call_of_a_process_is_timed_with_and_without_a_cache():
    found = {
        (m.metric, m.where["cache"]): m.value for m in start_up("cpu", device="cpu", threads=1)
    }
    assert set(found) == {(m, c) for m in ("first_call_s", "import_s") for c in ("empty", "filled")}
    assert found["first_call_s", "filled"] < found["first_call_s", "empty"]
