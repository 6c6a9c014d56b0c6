"""A whole training whose images other processes decode: the same numbers, the same errors."""

import json
import signal
import time

import numpy as np
import psutil
import pytest
from tiny_run import request, start, tiny_spec

from remamber.errors import ExitCode
from remamber.record.store import Store

STEPS = 14


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory):
    """The record and counts of a run that decodes in its own process."""
    store = tmp_path_factory.mktemp("store")
    spec = tiny_spec(root, steps=STEPS)
    finish(begin(spec, store, root, processes=0))
    return spec, *read(store, spec)


def begin(spec, store, root, *, processes, **more):
    place = {"root": str(root), "loaders": processes}
    return start(request(spec, store, root, **{"place": place, **more}))


def finish(process):
    out, _ = process.communicate(timeout=100)
    assert process.returncode == ExitCode.DONE
    return [json.loads(line) for line in out.splitlines()]


def at_step(process, step):
    """Wait for a step of a running process; its children then."""
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == "step" and event["done"] >= step:
            return psutil.Process(process.pid).children()
    return pytest.fail("the run ended before")


def read(store, spec):
    record = Store(store).find(spec)
    assert record is not None
    with np.load(Store(store).counts_path(record)) as counts:
        return record, dict(counts)


def require_same(found, alone):
    (record, counts), (_, other, other_counts) = found, alone
    assert record.curves == other.curves
    assert counts.keys() == other_counts.keys()
    assert all(np.array_equal(counts[key], other_counts[key]) for key in counts)


def require_gone(processes):
    assert processes
    deadline = time.monotonic() + 20
    while any(p.is_running() for p in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(p.is_running() for p in processes)


def test_numbers_do_not_depend_on_who_decodes(alone, root, tmp_path):
    spec = alone[0]
    process = begin(spec, tmp_path, root, processes=2)
    children = at_step(process, 3)
    finish(process)
    require_same(read(tmp_path, spec), alone)
    require_gone(children)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_leaves_no_process_and_goes_on_to_the_same_numbers(
    alone, root, tmp_path, number
):
    spec = alone[0]
    process = begin(spec, tmp_path, root, processes=2, checkpoint_s=0.01)
    children = at_step(process, 6)
    process.send_signal(number)
    process.communicate(timeout=60)
    require_gone(children)
    assert Store(tmp_path).find(spec) is None
    events = finish(begin(spec, tmp_path, root, processes=1))
    assert next(e for e in events if e["kind"] == "start")["done"] > 0
    require_same(read(tmp_path, spec), alone)


def test_a_damaged_image_ends_a_run_with_the_words_of_its_own_process(tmp_path):
    spec = tiny_spec(tmp_path, steps=STEPS)
    for path in (tmp_path / "train2014").glob("*.jpg"):
        path.write_bytes(path.read_bytes()[:700])
    process = begin(spec, tmp_path / "store", tmp_path, processes=2)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.DAMAGED
    said = json.loads(out.splitlines()[-1])
    assert said["what"] == "data_damaged"
    assert "its end is missing: it was cut short or overwritten" in said["message"]
    assert str(tmp_path / "train2014") in said["message"]


def test_a_record_holds_the_share_of_time_that_was_spent_waiting(alone):
    _, record, _ = alone
    (share,) = [m for m in record.measurements if m.metric == "wait_share"]
    assert 0 < share.value < 1
    assert share.unit == "fraction"
