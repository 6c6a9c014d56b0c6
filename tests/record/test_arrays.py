"""What figures are drawn from: packed by a task, kept with a sum, read back as it was."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import RunSpec
from remamber.record.environment import environment
from remamber.record.schema import Record
from remamber.record.store import Store
from remamber.table.arrays import read_arrays
from remamber.tasks._arrays import packed_arrays

SPEC = RunSpec(task="distribution")
ARRAYS = {"points/image": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(7)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def written(store: Store) -> Record:
    record = Record(
        run_id=SPEC.run_id,
        digest=SPEC.digest,
        spec=SPEC,
        status="ok",
        command="remamber-bench pca",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:01:00+00:00",
        wall_s=60.0,
        environment=environment(device="cpu", threads=1, scan_backend="cpu"),
    )
    return store.write_record(record, counts=b"npz", arrays=packed_arrays(ARRAYS))


def test_arrays_come_back_as_they_were(store):
    record = written(store)
    assert store.find(SPEC) == record
    found = read_arrays(record, store.arrays_path(record))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    content = (store.folder(SPEC) / "arrays.npz").read_bytes()
    assert record.arrays_sha256 == hashlib.sha256(content).hexdigest()
    assert record.counts == "counts.npz"


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_run_whose_arrays_are_damaged_is_done_again(store, how, caplog):
    record = written(store)
    path = store.arrays_path(record)
    path.unlink() if how == "missing" else path.write_bytes(b"other")
    assert store.find(SPEC) is None
    assert "arrays" in caplog.text


def test_arrays_outside_the_runs_folder_are_not_read(store):
    record = written(store)
    elsewhere = record.model_copy(update={"arrays": "../arrays.npz"})
    (store.folder(SPEC) / "record.json").write_text(elsewhere.model_dump_json())
    assert store.records() == []


def test_a_record_without_arrays_says_how_to_get_them(store):
    record = written(store).model_copy(update={"arrays": None})
    with pytest.raises(UserError, match="are missing") as caught:
        read_arrays(record, store.arrays_path(record))
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert "--fresh" in caught.value.fix[0]


def test_python_objects_are_neither_packed_nor_read(store, tmp_path):
    with pytest.raises(ValueError, match="Python objects"):
        packed_arrays({"names": np.array(["a", None], dtype=object)})
    path = tmp_path / "arrays.npz"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UserError, match="cannot be read"):
        read_arrays(written(store), path)
