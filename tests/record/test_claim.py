"""Claims: exactly one live process holds a run, and a dead one holds nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from remamber.record import claim as claims
from remamber.record.claim import Claimed, claim, holder_of, process_mark

RACE = """
import sys, time
from pathlib import Path
from remamber.record.claim import Claimed, claim
path, start, hold = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
print("ready", flush=True)
while not start.exists():
    time.sleep(0.001)
try:
    with claim(path):
        print("won", flush=True)
        time.sleep(hold)
except Claimed as error:
    print("lost", error, flush=True)
"""


def contenders(path: Path, start: Path, number: int, hold: float) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RACE, str(path), str(start), str(hold)]
    return [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(number)]


def stale_claim(path: Path, **changes: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    holder = claims._myself()._asdict() | {"pid": gone.pid, "process_mark": "1"} | changes
    path.write_text(json.dumps(holder))


@pytest.mark.parametrize("stale", [False, True], ids=["no claim", "stale claim"])
def test_exactly_one_of_many_processes_wins(tmp_path, stale):
    path, start = tmp_path / "claims" / "run.json", tmp_path / "start"
    if stale:
        stale_claim(path)
    racers = contenders(path, start, 8, hold=3.0)
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    start.touch()
    said = [racer.communicate()[0] for racer in racers]
    assert [s.split()[0] for s in said].count("won") == 1
    assert [s.split()[0] for s in said].count("lost") == 7
    assert not path.exists()


def test_kill_9_of_the_holder_frees_the_claim_at_once(tmp_path):
    path, start = tmp_path / "claims" / "run.json", tmp_path / "start"
    start.touch()
    (holder,) = contenders(path, start, 1, hold=60.0)
    assert holder.stdout is not None
    assert [holder.stdout.readline() for _ in range(2)] == ["ready\n", "won\n"]
    found = holder_of(path)
    assert found is not None and found.pid == holder.pid
    with pytest.raises(Claimed, match=f"process {holder.pid}"), claim(path):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    # Not reaped yet: a zombie holds nothing.
    deadline = time.monotonic() + 5
    while process_mark(holder.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holder_of(path) is None
    with claim(path):
        pass
    holder.communicate()


def test_a_later_process_with_the_same_number_is_not_the_holder(tmp_path):
    path = tmp_path / "run.json"
    stale_claim(path, pid=os.getpid(), process_mark="1")
    with claim(path) as mine:
        assert mine.process_mark == process_mark(os.getpid())


@pytest.mark.parametrize(("age", "held"), [(10.0, True), (100.0, False)])
def test_another_machine_is_judged_by_its_heartbeat(tmp_path, age, held):
    path = tmp_path / "run.json"
    stale_claim(path, host="elsewhere/", heartbeat=time.time() - age)
    if held:
        with pytest.raises(Claimed, match="on elsewhere"), claim(path):
            pass
    else:
        with claim(path):
            pass


@pytest.mark.parametrize(("age", "held"), [(0.0, True), (100.0, False)])
def test_an_unreadable_claim_is_held_only_while_it_is_fresh(tmp_path, age, held):
    path = tmp_path / "run.json"
    path.write_text('{"host": ')
    os.utime(path, (time.time() - age,) * 2)
    if held:
        with pytest.raises(Claimed, match="just starting"), claim(path):
            pass
    else:
        with claim(path):
            pass


def test_the_heartbeat_is_renewed_and_release_leaves_another_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_S", 0.02)
    path = tmp_path / "run.json"
    with claim(path) as mine:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            found = holder_of(path)
            if found is not None and found.heartbeat > mine.heartbeat:
                break
            time.sleep(0.005)
        else:
            pytest.fail("no heartbeat in 5 s")
        with FileLock(path.parent / ".lock"):
            stale_claim(path, token="another")
    assert json.loads(path.read_text())["token"] == "another"


def test_the_claim_is_released_when_the_block_raises(tmp_path):
    path = tmp_path / "run.json"
    with pytest.raises(ZeroDivisionError), claim(path):
        raise ZeroDivisionError
    assert not path.exists()
