"""The store: records are found again, damaged ones are named, set aside and not reused."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import RunSpec, TrainSpec
from remamber.plan.study import StudyRuns
from remamber.record.claim import Claimed
from remamber.record.environment import environment
from remamber.record.schema import Measurement, Record
from remamber.record.store import Store

SPEC = RunSpec(train=TrainSpec(steps=3))


def record_of(spec: RunSpec = SPEC, **changes: object) -> Record:
    content = {
        "run_id": spec.run_id,
        "digest": spec.digest,
        "spec": spec,
        "status": "ok",
        "command": "remamber-bench ablate scans",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00",
        "wall_s": 60.0,
        "environment": environment(device="cpu", threads=1, scan_backend="cpu"),
        "measurements": (Measurement(metric="mIoU", value=0.4, unit="fraction"),),
    }
    return Record.model_validate(content | changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_a_written_record_is_found_with_its_counts(store):
    written = store.write_record(record_of(), counts=b"npz")
    assert store.find(SPEC) == written
    assert store.records() == [written]
    path = store.counts_path(written)
    assert path is not None and path.read_bytes() == b"npz"
    assert written.counts_sha256 == hashlib.sha256(b"npz").hexdigest()


def test_a_run_without_a_record_is_not_done(store):
    assert store.find(SPEC) is None
    store.folder(SPEC).mkdir(parents=True)
    (store.folder(SPEC) / "checkpoint.pt").write_bytes(b"half")
    assert store.find(SPEC) is None
    assert store.records() == []
    assert (store.folder(SPEC) / "checkpoint.pt").exists()


@pytest.mark.parametrize("status", ["oom", "error"])
def test_a_failure_is_kept_as_a_row_but_not_reused(store, status):
    store.write_record(record_of(status=status, error="it broke"))
    assert store.find(SPEC) is None
    failed = store.find(SPEC, any_status=True)
    assert failed is not None and failed.status == status
    assert [r.status for r in store.records()] == [status]


BREAKS = {
    "half a record": lambda f: (f / "record.json").write_bytes(
        (f / "record.json").read_bytes()[:200]
    ),
    "an empty record": lambda f: (f / "record.json").write_bytes(b""),
    "not text": lambda f: (f / "record.json").write_bytes(b"\xff\xfe{}"),
    "an edited spec": lambda f: (f / "record.json").write_text(
        (f / "record.json").read_text().replace('"steps": 3', '"steps": 4')
    ),
    "counts missing": lambda f: (f / "counts.npz").unlink(),
    "counts cut short": lambda f: (f / "counts.npz").write_bytes(b"np"),
    "counts elsewhere": lambda f: (f / "record.json").write_text(
        (f / "record.json").read_text().replace('"counts.npz"', '"../counts.npz"')
    ),
    "counts that are a folder": lambda f: (f / "record.json").write_text(
        (f / "record.json").read_text().replace('"counts.npz"', '".."')
    ),
    "another run's name": lambda f: (f / "record.json").write_text(
        (f / "record.json").read_text().replace(f'"run_id": "{SPEC.run_id}"', '"run_id": "../x"')
    ),
    "another version": lambda f: (f / "record.json").write_text(
        (f / "record.json").read_text().replace('"record_version": 1', '"record_version": 99')
    ),
}


@pytest.mark.parametrize("fields", ["", ' "colour": "red",'])
def test_a_record_of_another_version_is_named_as_such(store, caplog, fields):
    store.write_record(record_of())
    path = store.folder(SPEC) / "record.json"
    newer = path.read_text().replace('"record_version": 1,', f'"record_version": 2,{fields}')
    path.write_text(newer)
    assert store.records() == []
    assert "written as version 2, this program reads version 1" in caplog.text
    assert store.find(SPEC) is None
    assert (store.folder(SPEC) / "record.json.damaged").read_text() == newer


@pytest.mark.parametrize("kind", BREAKS)
def test_a_damaged_record_is_named_set_aside_and_not_reused(store, caplog, kind):
    store.write_record(record_of(), counts=b"npz")
    folder = store.folder(SPEC)
    before = (folder / "record.json").read_bytes()
    BREAKS[kind](folder)
    touched = kind in ("counts missing", "counts cut short")
    assert touched or (folder / "record.json").read_bytes() != before

    assert store.records() == []
    assert str(folder) in caplog.text
    caplog.clear()
    assert store.find(SPEC) is None
    assert str(folder) in caplog.text and "set aside as record.json.damaged" in caplog.text
    assert (folder / "record.json.damaged").exists()
    assert not (folder / "record.json").exists()

    again = store.write_record(record_of(), counts=b"npz")
    assert store.find(SPEC) == again


def test_a_record_appears_only_after_its_counts(store, monkeypatch):
    order: list[str] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    store.write_record(record_of(), counts=b"npz")
    assert order == ["counts.npz", "record.json"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(store, monkeypatch):
    store.write_record(record_of(status="error"))
    before = sorted(p.name for p in store.folder(SPEC).iterdir())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="no space left on the disk while writing") as caught:
        store.write_record(record_of(), counts=b"npz")
    assert caught.value.exit_code is ExitCode.MISSING
    assert sorted(p.name for p in store.folder(SPEC).iterdir()) == before
    failed = store.find(SPEC, any_status=True)
    assert failed is not None and failed.status == "error"


def test_retire_keeps_the_old_run_out_of_the_way(store):
    written = store.write_record(record_of(), counts=b"npz")
    first = store.retire(SPEC)
    assert first is not None and (first / "counts.npz").read_bytes() == b"npz"
    assert store.find(SPEC) is None and store.records() == []
    store.write_record(written, counts=b"npz")
    second = store.retire(SPEC)
    assert second is not None and second != first
    assert store.retire(SPEC) is None


def test_a_run_in_progress_cannot_be_retired(store):
    with store.claim(SPEC) as mine:
        assert store.holder(SPEC) == mine
        with pytest.raises(Claimed):
            store.retire(SPEC)
    assert store.holder(SPEC) is None


def test_the_newest_runs_of_a_study_are_found(store):
    quick = StudyRuns(study="scans", profile="quick", run_ids=("a", "b"), status="finished")
    paper = StudyRuns(study="scans", profile="paper", run_ids=("c",))
    other = StudyRuns(study="scans-more", profile="quick", run_ids=("d",))
    for age, runs in enumerate([other, paper, quick]):
        store.write_study_runs(runs)
        path = store.root / "studies" / f"{runs.study}-{runs.profile}.json"
        os.utime(path, (1000 - age, 1000 - age))
    assert store.study_runs("scans") == paper
    assert store.study_runs("scans", "quick") == quick
    assert store.study_runs("scans-more") == other
    assert store.study_runs("fusion") is None
    assert store.study_runs(None) == other


def test_damaged_study_runs_are_set_aside(store, caplog):
    store.write_study_runs(StudyRuns(study="scans", profile="quick", run_ids=("a",)))
    path = store.root / "studies" / "scans-quick.json"
    path.write_text("{")
    assert store.study_runs("scans") is None
    assert str(path) in caplog.text
    assert path.with_name("scans-quick.json.damaged").exists()
