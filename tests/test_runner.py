import json
import signal
import subprocess

import numpy as np
import pytest
from tiny_run import request, start, tiny_spec

from remamber.errors import ExitCode, UserError
from remamber.metrics import measure
from remamber.record.store import Store
from remamber.runner import Interruption, Request, execute
from remamber.tasks import Outcome


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def undisturbed(root, tmp_path_factory):
    """The record and counts of a run that nothing disturbed."""
    spec, store = tiny_spec(root, steps=40), tmp_path_factory.mktemp("store")
    status, _ = run(spec, store, root)
    assert status is ExitCode.DONE
    return spec, *read(Store(store), spec)


def run(spec, store, root, **more):
    events = []
    asked = Request.model_validate_json(request(spec, store, root, **more))
    return execute(asked, events.append, Interruption()), events


def read(store, spec):
    record = store.find(spec)
    assert record is not None
    with np.load(store.counts_path(record)) as counts:
        return record, dict(counts)


SHARES = ("scan_share", "wait_share")
"""Fractions of time, which no two runs have in common."""


def accuracy(record):
    return [m for m in record.measurements if m.unit == "fraction" and m.metric not in SHARES]


def same(record, counts, other, other_counts):
    assert accuracy(record) == accuracy(other)
    assert record.curves == other.curves
    assert counts.keys() == other_counts.keys()
    for key, value in counts.items():
        np.testing.assert_array_equal(value, other_counts[key])


def test_a_run_leaves_a_record_whose_metrics_follow_from_its_counts(undisturbed):
    spec, record, counts = undisturbed
    assert record.status == "ok"
    assert record.environment.scan_backend in ("cpu", "reference")
    assert record.data["fingerprint"] == spec.data.fingerprint
    found = 0
    for m in accuracy(record):
        split = m.where["split"] + ("+shuffled-text" if "control" in m.where else "")
        found += 1
        pair = counts[f"{split}/intersection"], counts[f"{split}/union"]
        assert m.value == measure(m.metric, *pair)
    assert found == 7 * 4
    assert record.curves["loss"][-1][0] == 40


def test_a_recorded_run_is_not_run_again(root, tmp_path):
    spec = tiny_spec(root, steps=2)
    assert run(spec, tmp_path, root)[0] is ExitCode.DONE
    record = tmp_path / spec.run_id / "record.json"
    first = record.stat().st_mtime_ns, record.stat().st_ino
    status, events = run(spec, tmp_path, root)
    assert status is ExitCode.DONE
    assert [e.kind for e in events] == ["finished"]
    assert (record.stat().st_mtime_ns, record.stat().st_ino) == first


def test_the_same_spec_gives_the_same_numbers_in_another_process(undisturbed, root, tmp_path):
    spec, record, counts = undisturbed
    process = start(request(spec, tmp_path, root))
    process.communicate()
    assert process.returncode == 0
    same(*read(Store(tmp_path), spec), record, counts)


@pytest.mark.parametrize("moment", ["start", "step 9", "saved", "step 31", "evaluate"])
def test_a_run_killed_at_any_moment_ends_with_the_same_numbers(undisturbed, root, tmp_path, moment):
    spec, record, counts = undisturbed
    text = request(spec, tmp_path, root, checkpoint_s=0.05)
    kill_at(start(text), moment)
    assert Store(tmp_path).find(spec) is None
    status, events = run(spec, tmp_path, root)
    assert status is ExitCode.DONE
    resumed = next(e for e in events if e.kind == "start").done
    assert resumed > 0 or moment in ("start", "step 9")
    same(*read(Store(tmp_path), spec), record, counts)


def kill_at(process, moment):
    kind, _, step = moment.partition(" ")
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == kind and event.get("done", 0) >= int(step or 0):
            process.kill()
            break
    else:
        pytest.fail(f"the run ended before {moment}: {process.stderr.read()}")
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_saves_says_where_and_goes_on(undisturbed, root, tmp_path, number):
    spec, record, counts = undisturbed
    process = start(request(spec, tmp_path, root))
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == "step" and event["done"] == 7:
            process.send_signal(number)
            break
    events = [json.loads(line) for line in process.stdout]
    process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED
    assert events[-1]["kind"] == "stopped"
    kept = Store(tmp_path).folder(spec) / "elapsed_s.txt"
    kept.write_text(f"{float(kept.read_text()) + 1000}")
    status, again = run(spec, tmp_path, root)
    assert status is ExitCode.DONE
    assert next(e for e in again if e.kind == "start").done == events[-1]["done"]
    assert 1000 < read(Store(tmp_path), spec)[0].wall_s < 1100, "of both sessions"
    assert not kept.exists()
    same(*read(Store(tmp_path), spec), record, counts)


def test_a_run_whose_launcher_is_gone_stops_and_can_go_on(undisturbed, root, tmp_path):
    spec, *_ = undisturbed
    process = start(request(spec, tmp_path, root))
    process.stdout.readline()
    process.stdout.close()
    try:
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        process.stderr.close()
    assert Store(tmp_path).find(spec) is None


def test_two_processes_never_run_one_spec_twice(root, tmp_path):
    spec = tiny_spec(root, steps=20)
    text = request(spec, tmp_path, root)
    outputs = [p.communicate()[0] for p in [start(text), start(text)]]
    kinds = [[json.loads(line)["kind"] for line in out.splitlines()] for out in outputs]
    assert sum("step" in k for k in kinds) == 1
    assert all(k[-1] == "finished" for k in kinds)
    assert Store(tmp_path).find(spec) is not None


def test_a_broken_checkpoint_is_named_set_aside_and_not_used(undisturbed, root, tmp_path):
    spec, record, counts = undisturbed
    folder = tmp_path / spec.run_id
    folder.mkdir()
    (folder / "checkpoint.pt").write_bytes(b"PK\x03\x04 torn")
    status, events = run(spec, tmp_path, root)
    assert status is ExitCode.DONE
    note, counts_note = [e.message for e in events if e.kind == "note"]
    assert str(folder / "checkpoint.pt") in note
    assert "refcoco is not the published one: train: " in counts_note
    assert (folder / "checkpoint.pt.damaged").exists()
    found, found_counts = read(Store(tmp_path), spec)
    assert found.warnings == (note, counts_note)
    same(found, found_counts, record, counts)


def test_the_commit_is_that_of_the_code_that_was_loaded(root, tmp_path, monkeypatch):
    order = []

    def task(spec, context):
        order.append("task")
        return Outcome(measurements=())

    monkeypatch.setattr("remamber.runner.code_checkout", lambda: order.append("commit"))
    monkeypatch.setattr("remamber.runner.find_task", lambda name: task)
    assert run(tiny_spec(root, steps=2), tmp_path, root)[0] is ExitCode.DONE
    assert order == ["commit", "task"]


def test_a_failure_becomes_a_record_with_its_traceback(root, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("the scan is broken")

    monkeypatch.setattr("remamber.tasks.train.train_step", broken)
    spec = tiny_spec(root, steps=2)
    status, events = run(spec, tmp_path, root)
    assert status is ExitCode.PARTIAL
    assert events[-1].kind == "failed"
    record = Store(tmp_path).find(spec, any_status=True)
    assert (record.status, record.measurements) == ("error", ())
    assert record.error.endswith("RuntimeError: the scan is broken")
    assert Store(tmp_path).find(spec) is None


def test_running_out_of_memory_is_a_status_of_its_own(root, tmp_path, monkeypatch):
    def greedy(*args, **kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("remamber.tasks.train.train_step", greedy)
    spec = tiny_spec(root, steps=2)
    assert run(spec, tmp_path, root)[0] is ExitCode.PARTIAL
    assert Store(tmp_path).find(spec, any_status=True).status == "oom"


def test_changed_data_are_refused(root, tmp_path):
    spec = tiny_spec(root, steps=2)
    changed = spec.model_copy(
        update={"data": spec.data.model_copy(update={"fingerprint": "0" * 64})}
    )
    with pytest.raises(UserError, match="not the one that this run was planned with"):
        run(changed, tmp_path, root)


def test_bounds_need_no_model_and_order_as_they_must(root, tmp_path):
    spec = tiny_spec(root)
    spec = spec.model_copy(update={"task": "bounds", "train": None})
    assert run(spec, tmp_path, root)[0] is ExitCode.DONE
    record = Store(tmp_path).find(spec)
    values = {
        m.where["bound"]: m.value
        for m in record.measurements
        if m.metric == "mIoU" and m.where["split"] == "val"
    }
    assert values["whole-image"] < values["predict-all"] < 1
    assert values["stride-16"] < values["stride-8"] < values["stride-4"] <= 1
