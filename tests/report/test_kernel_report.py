"""The report of a kernel study: verdict, notes, every format, and records from elsewhere."""

import csv
import io
import json
import re

import pytest
from simulated_kernels import kernel_analysis, kernel_record, kernel_runs, kernel_spec, kernel_store

from remamber.record.store import Store
from remamber.report import pictures, render_study
from remamber.report.kernel_verdict import is_slower, kernel_verdict
from remamber.rounds import RoundRatio
from remamber.table.kernels import build_kernels

BARE = re.compile(r"\bnan\b|-0\.0\b|\bNone\b|\binf\b", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setattr(pictures, "find_browser", lambda: None)


@pytest.fixture
def study(tmp_path):
    return kernel_store(tmp_path / "runs")


def rendered(study, out, **more):
    store, runs = study
    return render_study(kernel_analysis(), runs, store=store, out=out, **more)


def verdict_of(store, runs):
    return kernel_verdict(build_kernels(kernel_analysis(), runs, store))


def test_the_verdict_says_how_much_faster_and_how_near_to_the_limit(study):
    text = verdict_of(*study)
    assert text.startswith("On two shapes, cpu (ours) is faster than reference (ours) by a factor")
    assert "by a factor of 100 forward, 100 forward and backward" in text
    assert "than the fastest peer of each shape by 15 forward" in text
    assert "of the measured copy bandwidth" in text
    assert "the fused SS2D is faster than scan and copies apart by 2.5 forward" in text
    assert "the scan's error against float64 is at most 2.0e−7, 6.0e−7 in gradients" in text
    assert "slower" not in text


def test_a_shape_on_which_it_is_slower_is_not_passed_over(tmp_path):
    spec = kernel_spec("s1_256")
    record = kernel_record(spec)
    curves = dict(record.curves)
    curves["scan mambapy forward"] = tuple((r, s / 20) for r, s in curves["scan mambapy forward"])
    store = Store(tmp_path)
    store.write_record(record.model_copy(update={"curves": curves}))
    assert verdict_of(store, kernel_runs(spec)).endswith(
        " It is slower than mambapy on s1_256 forward."
    )


def test_slower_needs_more_than_noise():
    assert is_slower(RoundRatio(0.9, 0.85, 0.95, 10))
    assert not is_slower(RoundRatio(0.95, 0.85, 1.05, 10))
    assert not is_slower(RoundRatio(0.99, 0.985, 0.995, 10))
    assert is_slower(RoundRatio(0.5, None, None, 2))


def test_nothing_measured_says_nothing(tmp_path):
    runs = kernel_runs(kernel_spec("s1_256"))
    report = rendered((Store(tmp_path / "runs"), runs), tmp_path / "out")
    text = report.paths["md"].read_text(encoding="utf-8")
    assert "No shape was measured, so nothing can be said." in text
    assert "1 of 1 runs have no record yet" in text


def test_a_failed_shape_is_a_row_with_its_reason(tmp_path):
    store, runs = kernel_store(tmp_path / "runs", ("s1_256",))
    failed = kernel_spec("ch2")
    store.write_record(
        kernel_record(failed, status="error", error="x\nValueError: bad", measurements=())
    )
    runs = runs.model_copy(update={"run_ids": (*runs.run_ids, failed.run_id)})
    text = rendered((store, runs), tmp_path / "out").paths["md"].read_text(encoding="utf-8")
    assert "ch2 failed: ValueError: bad" in text
    assert re.search(r"\| ch2 .*\| failed \|", text)


def test_cells_say_what_was_not_run_and_what_is_not_here(study, tmp_path):
    text = rendered(study, tmp_path / "out").paths["md"].read_text(encoding="utf-8")
    assert "not run (about 41.0 s a call)" in text
    assert "n/a (no CUDA)" in text
    assert "100× \\[" in text


def test_a_busy_machine_is_said_beside_the_times(study, tmp_path):
    text = rendered(study, tmp_path / "out").paths["md"].read_text(encoding="utf-8")
    assert "other processes were waiting for the cores when start-up began (up to 40 %" in text


def test_shapes_of_different_machines_are_not_one_table_without_a_word(tmp_path):
    store, runs = kernel_store(tmp_path, ("s1_256",))
    other = kernel_spec("s3_256", machine="another")
    store.write_record(kernel_record(other))
    runs = runs.model_copy(update={"run_ids": (*runs.run_ids, other.run_id)})
    report = rendered((store, runs), tmp_path / "out")
    assert any("different machines" in note for note in report.document.notes)


def test_every_format_is_written_and_no_number_is_bare(study, tmp_path):
    report = rendered(study, tmp_path / "out")
    assert set(report.paths) == {"md", "html", "csv", "json"}
    for name in ("md", "csv"):
        assert not BARE.search(report.paths[name].read_text(encoding="utf-8"))
    lines = list(csv.DictReader(io.StringIO(report.paths["csv"].read_text(encoding="utf-8"))))
    cells = [c for t in report.document.tables for row in t.rows for c in row.cells]
    assert len(lines) == len(cells)
    content = json.loads(report.paths["json"].read_text(encoding="utf-8"))
    assert content == report.results
    assert set(content["tables"]) == {
        "forward", "training", "fused", "memory", "errors", "scaling", "start-up",
    }  # fmt: skip


def test_the_same_records_give_the_same_files(study, tmp_path):
    first, second = (rendered(study, tmp_path / name).paths for name in ("a", "b"))
    for name in first:
        assert first[name].read_bytes() == second[name].read_bytes()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_terminal_never_overflows(study, tmp_path, width):
    text = rendered(study, tmp_path / "out", formats=()).terminal(color=False, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "s1_256" in text and "Forward and backward" in text


def test_the_page_has_both_figures_and_their_words(study, tmp_path):
    text = rendered(study, tmp_path / "out").paths["html"].read_text(encoding="utf-8")
    assert 'id="1-roofline"' in text and 'id="2-speedups"' in text
    assert "The roof: 30 GB/s and 400 GFLOP/s, both measured." in text
