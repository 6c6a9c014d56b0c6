"""The real command with the real runner on a tiny data set: shared, killed, and gone on with."""

from pathlib import Path

import numpy as np
import psutil
import pytest
from bench_process import start_bench

from remamber.record.schema import Record
from remamber.record.store import Store

STEPS = 40
REPORTS = (
    "scans-refcoco.md",
    "scans-refcoco.html",
    "scans-refcoco/table.csv",
    "scans-refcoco/results.json",
)


def start(folder: Path, out: str, data_root: Path, *only: str):
    """A study of tiny runs in a store that other commands may share, with a report of its own."""
    place = ("--data", "refcoco", "--data-root", str(data_root), "--profile", "quick")
    size = ("--steps", str(STEPS), "--image-size", "32", "--set", "train.batch=4")
    rows = [word for order in only for word in ("--only", order)]
    arguments = (
        "ablate",
        "scans",
        *place,
        *size,
        *rows,
        "--threads",
        "1",
        "--jobs",
        "1",
        "--out",
        out,
    )
    return start_bench(*arguments, cwd=folder, fake=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory, data_root):
    """Two commands on one store at once: the folder, and exit status and streams of each."""
    folder = tmp_path_factory.mktemp("pair")
    both = [start(folder, out, data_root, "channel", "spatial") for out in ("one", "two")]
    said = [process.communicate(timeout=300) for process in both]
    return folder, [(p.returncode, *streams) for p, streams in zip(both, said, strict=True)]


def trained(folder: Path, order: str) -> tuple[Record, dict[str, np.ndarray]]:
    """The one good record of a row, and its counts."""
    store = Store(folder / "runs")
    (record,) = [
        r
        for r in store.records()
        if r.spec.task == "train" and r.spec.model.fusion.scan_order == order
    ]
    assert record.status == "ok"
    with np.load(store.counts_path(record)) as counts:
        return record, dict(counts)


def test_two_commands_at_once_share_the_runs_and_both_report(pair):
    folder, ends = pair
    assert [status for status, *_ in ends] == [0, 0], ends
    assert ends[0][1] == ends[1][1], "both print the same table"
    for out in ("one", "two"):
        assert all((folder / out / name).is_file() for name in REPORTS)
    logs = [err for *_, err in ends]
    for number, name in enumerate(("channel", "spatial"), start=1):
        began = [log.count(f"[{number}/3 {name}] training, {STEPS} steps") for log in logs]
        assert sum(began) == 1, f"{name} was run {sum(began)} times: {logs}"
        assert trained(folder, name)[0].measurements
    assert len(Store(folder / "runs").records()) == 3
    assert not list((folder / "runs" / "claims").glob("*.json"))


def test_a_killed_command_leaves_no_run_behind_and_goes_on_to_the_same_numbers(
    pair, tmp_path, data_root
):
    process = start(tmp_path, "reports", data_root, "channel")
    runner = wait_for_step(process, tmp_path)
    process.kill()
    process.communicate()
    gone, _ = psutil.wait_procs([runner], timeout=30)
    assert gone, "the run went on without its command"
    assert not Store(tmp_path / "runs").records()
    assert list((tmp_path / "runs").glob("remamber-*/checkpoint*"))

    again = start(tmp_path, "reports", data_root, "channel")
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert "[1/2 channel] going on from step " in err
    record, counts = trained(tmp_path, "channel")
    other, other_counts = trained(pair[0], "channel")
    assert record.run_id == other.run_id
    assert accuracy(record) == accuracy(other)
    assert counts.keys() == other_counts.keys()
    for key, value in counts.items():
        np.testing.assert_array_equal(value, other_counts[key])


def accuracy(record: Record) -> list:
    return [m for m in record.measurements if "split" in m.where]


def wait_for_step(process, folder: Path) -> psutil.Process:
    """The runner of a command, held still in the middle of its training."""
    for line in process.stderr:
        if "training," in line:
            break
    (runner,) = psutil.Process(process.pid).children()
    (claim,) = (folder / "runs" / "claims").glob("*.json")
    assert str(runner.pid) in claim.read_text()
    return runner
