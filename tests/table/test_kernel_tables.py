"""Ratios, shares and tables of a kernel study, from records whose numbers are known."""

import pytest
from simulated_kernels import (
    COPY,
    SECONDS,
    kernel_analysis,
    kernel_record,
    kernel_runs,
    kernel_spec,
    kernel_store,
)

from remamber.record.store import Store
from remamber.rounds import LEAST_ROUNDS
from remamber.table.kernel_layout import kernel_tables
from remamber.table.kernels import build_kernels


@pytest.fixture
def results(tmp_path):
    store, runs = kernel_store(tmp_path)
    return build_kernels(kernel_analysis(), runs, store)


def table_of(results, name):
    return next(t for t in kernel_tables(results) if t.name == name)


def cell(table, row, column):
    place = [c.name for c in table.columns].index(column)
    return next(r for r in table.rows if r.key == row).cells[place]


def test_a_ratio_is_of_the_same_rounds_so_that_drift_does_not_count(results):
    shape = results.measured[0]
    ratio = results.against(shape, "reference", "forward")
    true = SECONDS["scan", "reference"] / SECONDS["scan", "cpu"]
    assert ratio.value == pytest.approx(true, rel=0.02)
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.high / ratio.low < 1.05, "the drift of 90 % over the rounds stays out of it"
    assert ratio.rounds == 10


def test_few_rounds_give_a_ratio_without_an_interval(tmp_path):
    spec = kernel_spec("s1_256")
    record = kernel_record(spec)
    curves = {name: c[: LEAST_ROUNDS - 1] for name, c in record.curves.items()}
    store = Store(tmp_path)
    store.write_record(record.model_copy(update={"curves": curves}))
    found = build_kernels(kernel_analysis(), kernel_runs(spec), store)
    ratio = found.against(found.measured[0], "loop", "training")
    assert ratio.value > 1 and ratio.low is None and ratio.rounds == LEAST_ROUNDS - 1


def test_the_fastest_peer_is_another_projects_and_by_shape(results):
    assert results.fastest_peer(results.measured[0], "forward") == "mambapy"
    assert results.subject == "cpu"


def test_bandwidth_is_the_least_traffic_over_the_time(results):
    shape = results.measured[0]
    seconds = shape.entry("scan", "cpu", "forward").seconds
    share = shape.bandwidth_share("scan", "cpu", "forward")
    assert share == pytest.approx(12e6 / seconds / COPY)


def test_too_slow_and_absent_are_told_apart(results):
    table = table_of(results, "forward")
    slow = cell(table, "s1_256", "Time of transformers")
    assert (slow.status, slow.estimate, slow.value) == ("left-out", 41.0, None)
    gpu = cell(table, "s1_256", "Time of triton (ours)")
    assert (gpu.status, gpu.reason) == ("not-measured", "no CUDA")


def test_our_time_comes_first_and_then_how_much_faster(results):
    names = [c.name for c in table_of(results, "forward").columns]
    assert names[:4] == [
        "cpu (ours) time",
        "cpu (ours) × reference (ours)",
        "cpu (ours) × loop, autograd",
        "cpu (ours) × fastest peer",
    ]


def test_the_fused_form_is_compared_on_images_alone(results):
    table = table_of(results, "fused")
    assert [row.key for row in table.rows] == ["s1_256"]
    assert cell(table, "s1_256", "Forward faster by").value == pytest.approx(2.5, rel=0.02)
    assert cell(table, "s1_256", "Forward peak memory").value == pytest.approx(0.4)


def test_errors_of_every_tensor_and_the_worst_of_others(results):
    table = table_of(results, "errors")
    assert cell(table, "mamba", "cpu (ours) dA").value == 6e-7
    assert cell(table, "mamba", "fused cpu dA").reason == "not an image"
    assert cell(table, "mamba", "Worst gradient of mambapy").value == 6e-7


def test_scaling_is_against_one_thread(results):
    table = table_of(results, "scaling")
    name = "cpu (ours), forward"
    assert cell(table, "s1_256", f"{name} 2 threads").value == pytest.approx(2)
    assert cell(table, "s1_256", f"{name} 4 threads").value == pytest.approx(1 / 0.3)


def test_the_start_has_a_row_for_every_backend_that_compiles(results):
    table = table_of(results, "start-up")
    assert [row.label for row in table.rows] == ["cpu (ours)", "triton (ours)"]
    assert [c.value for c in table.rows[0].cells] == [12.0, 0.7, 1.5]
    assert table.rows[1].cells[0].reason == "no CUDA"


def test_failed_and_missing_shapes_keep_their_rows(tmp_path):
    failed, missing = kernel_spec("ch2"), kernel_spec("s4_480")
    store, runs = kernel_store(tmp_path, ("s1_256",))
    record = kernel_record(failed, status="oom", error="too big", measurements=(), curves={})
    store.write_record(record)
    runs = runs.model_copy(update={"run_ids": (*runs.run_ids, failed.run_id, missing.run_id)})
    table = table_of(build_kernels(kernel_analysis(), runs, store), "forward")
    statuses = {row.key: row.cells[0].status for row in table.rows}
    assert statuses == {"s1_256": "ok", "ch2": "oom", "s4_480": "not-run"}
