"""Command ``compare`` on records of speed: what it prints, and when it fails."""

import json

import pytest
from simulated_speed import KEYS, speed_record, speed_spec, speed_store
from simulated_study import simulated_study

from remamber.record.store import Store

RUN = speed_spec(256).run_id
SIDES = (f"{RUN}@remamber", f"{RUN}@lavt")


@pytest.fixture
def compare(bench, tmp_path):
    speed_store(tmp_path / "runs", (256,))

    def run(*arguments):
        return bench("compare", *arguments)

    return run


def test_two_models_of_a_run_are_compared_by_rounds(compare):
    said = compare(*SIDES)
    assert said.status == 0
    assert "remamber -> lavt, 256 px" in said.out
    assert "latency_p50" in said.out and "needed_mib" in said.out
    assert "slower" in said.out
    assert "paired: both were timed in the same rounds" in said.out


def test_json_holds_seconds_bytes_and_the_ratio(compare):
    content = json.loads(compare(*SIDES, "--json").out)
    (pair,) = content["pairs"]
    time, memory = pair["times"]
    assert time["ratio"] == pytest.approx(time["b"] / time["a"], rel=0.05)
    assert time["low"] < time["ratio"] < time["high"] and time["verdict"] == "slower"
    assert memory["low"] is None and memory["p"] is None


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("--fail-on", "worse"), 1),
        (("--fail-on", "different"), 1),
        (("--fail-on-regression", "latency_p50:3%"), 1),
        (("--fail-on-regression", "latency_p50:+3%"), 1),
        (("--fail-on-regression", "latency_p50:900"), 0),
    ],
)
def test_it_fails_only_as_asked_for(compare, options, status):
    said = compare(*SIDES, *options)
    assert said.status == status
    assert ("failed:" in said.err) == bool(status)


def test_faster_is_no_failure_but_a_difference(compare):
    back = (*reversed(SIDES), "--metric", "latency_p50")
    assert compare(*back, "--fail-on", "worse").status == 0
    assert compare(*back, "--fail-on", "different").status == 1
    assert compare(*back, "--fail-on-regression", "latency_p50:1").status == 0


def test_what_could_never_fail_is_refused(compare):
    tail = compare(*SIDES, "--fail-on-regression", "latency_p90:3%")
    assert tail.status == 2 and "latency_p50:3%" in tail.err
    splits = compare(*SIDES, "--split", "val")
    assert splits.status == 2 and "no splits" in splits.err


def test_a_check_of_two_processes_needs_the_noise_between_them(compare, tmp_path):
    after = speed_spec(256, code="d")
    Store(tmp_path / "runs").write_record(speed_record(after))
    assert compare(RUN, after.run_id).status == 0
    for check in (("--fail-on", "worse"), ("--fail-on-regression", "latency_p50:3")):
        said = compare(RUN, after.run_id, *check)
        assert said.status == 3 and "doctor --self-check" in said.err
    assert compare(RUN, after.run_id, "--fail-on-regression", "needed_mib:1").status == 0


def test_a_model_that_runs_out_of_memory_in_b_is_worse(compare, tmp_path):
    store, after = Store(tmp_path / "runs"), speed_spec(256, code="d")
    record = speed_record(after)
    data = {**record.data, f"status {KEYS[1]}": "oom"}
    kept = tuple(m for m in record.measurements if m.where.get("model") != KEYS[1])
    store.write_record(record.model_copy(update={"data": data, "measurements": kept}))
    memory = ("--metric", "needed_mib")
    said = compare(RUN, after.run_id, *memory, "--fail-on", "worse")
    assert said.status == 1
    assert "not compared: lavt ran out of memory in B alone" in said.out
    assert "failed: lavt ran out of memory in B alone" in said.err
    assert compare(after.run_id, RUN, *memory, "--fail-on", "worse").status == 0
    assert compare(after.run_id, RUN, *memory, "--fail-on", "different").status == 1
    (lost,) = json.loads(compare(RUN, after.run_id, *memory, "--json").out)["lost"]
    assert (lost["side"], lost["model"]) == ("B", "lavt")


def test_a_run_without_times_has_no_models_to_name(compare, tmp_path):
    simulated_study(tmp_path / "runs")
    said = compare("scan_order=channel@lavt", "scan_order=spatial")
    assert said.status == 2 and "no times of models" in said.err


def test_times_are_not_compared_with_accuracy(compare, tmp_path):
    simulated_study(tmp_path / "runs")
    said = compare(SIDES[0], "scan_order=channel")
    assert said.status == 2
    assert "one side holds times of models" in said.err


def test_accuracy_is_no_metric_of_times(compare):
    said = compare(*SIDES, "--metric", "mIoU")
    assert said.status == 2 and "latency_p50" in said.err


def test_a_record_of_another_version_is_named_and_not_used(compare, tmp_path):
    path = tmp_path / "runs" / RUN / "record.json"
    path.write_text(path.read_text().replace('"record_version": 1', '"record_version": 2'))
    said = compare(*SIDES)
    assert said.status == 3
    assert "written as version 2, this program reads version 1" in said.err
    assert path.exists(), "comparing changes nothing"
