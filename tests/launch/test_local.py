"""The local launcher: every run ends as a row, whatever happens to its process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_runner import RUNNER

from remamber.errors import UserError
from remamber.launch import Errand, open_launcher
from remamber.plan.spec import RunSpec, TrainSpec
from remamber.record.event import Event
from remamber.record.store import Store


def specs(number: int) -> tuple[RunSpec, ...]:
    return tuple(RunSpec(seed=seed, train=TrainSpec(steps=5)) for seed in range(number))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def launch(store, monkeypatch):
    """Run one process a word; gives outcomes and the events by run number."""

    def run(*words: str, on_event=None, **more):
        monkeypatch.setenv("FAKE_RUNNER", " ".join(f"s{n}={w}" for n, w in enumerate(words)))
        heard: list[tuple[int, Event]] = []

        def listen(number: int, event: Event) -> None:
            heard.append((number, event))
            if on_event is not None:
                on_event(number, event)

        errand = Errand(specs(len(words)), store, runner=RUNNER, on_event=listen, **more)
        return open_launcher("local")(errand), heard

    return run


def test_every_run_leaves_a_record_and_its_events_arrive_in_order(launch, store):
    outcomes, heard = launch("ok", "ok")
    assert [o.state for o in outcomes] == ["done", "done"]
    assert [s.run_id for s in specs(2)] == [r.run_id for r in map(store.find, specs(2)) if r]
    kinds = [event.kind for number, event in heard if number == 1]
    assert kinds == ["prepare", "start", "step", "step", "step", "finished"]


def test_one_failed_run_does_not_stop_the_others(launch, store):
    outcomes, _ = launch("error", "refuse", "ok")
    assert [o.state for o in outcomes] == ["failed", "failed", "done"]
    assert outcomes[0].message == "it broke"
    assert outcomes[0].tail == ("Traceback of the broken run",)
    assert outcomes[1].exit_code == 3 and "no space left" in outcomes[1].message
    kept = store.folder(specs(1)[0]) / "stderr.log"
    assert kept.read_text() == "Traceback of the broken run\n"


def test_fail_fast_starts_nothing_more(launch):
    outcomes, _ = launch("error", "ok", "ok", fail_fast=True)
    assert [o.state for o in outcomes] == ["failed", "skipped", "skipped"]


@pytest.mark.parametrize(
    ("word", "signal_name"), [("kill", "signal 9 (SIGKILL)"), ("segfault", "signal 11 (SIGSEGV)")]
)
def test_a_killed_process_becomes_a_failed_row_with_its_signal(launch, store, word, signal_name):
    outcomes, heard = launch(word, "ok")
    assert [o.state for o in outcomes] == ["failed", "done"]
    assert signal_name in outcomes[0].message
    record = store.find(specs(1)[0], any_status=True)
    assert record is not None and record.status == "error"
    assert record.error is not None and signal_name in record.error
    if word == "kill":
        assert "about to be killed" in record.error
    assert [e.kind for n, e in heard if n == 0][-1] == "failed"
    assert store.find(specs(1)[0]) is None, "a failure is tried again"


def test_a_crash_after_the_record_was_written_loses_nothing(launch, store):
    outcomes, heard = launch("late-crash")
    assert [o.state for o in outcomes] == ["done"]
    assert [e.kind for _, e in heard][-1] == "finished"
    assert store.find(specs(1)[0]) is not None


def test_a_process_left_behind_does_not_hold_up_the_queue(launch):
    begin = time.monotonic()
    outcomes, _ = launch("orphan", "ok")
    assert [o.state for o in outcomes] == ["failed", "done"]
    assert time.monotonic() - begin < 20


def interrupt_on(kind: str, times: int):
    """A listener that sends this process SIGINT, once or twice, when a run says something."""
    done = threading.Event()

    def listen(number: int, event: Event) -> None:
        if event.kind == kind and not done.is_set():
            done.set()
            os.kill(os.getpid(), signal.SIGINT)
            for n in range(1, times):
                threading.Timer(0.4 * n, os.kill, (os.getpid(), signal.SIGINT)).start()

    return listen


def test_ctrl_c_once_lets_the_run_save_and_starts_no_other(launch, store):
    outcomes, heard = launch("slow", "ok", on_event=interrupt_on("note", 1))
    assert [(o.state, o.step) for o in outcomes] == [("stopped", 3), ("skipped", 0)]
    assert [e.kind for _, e in heard][-1] == "stopped"
    assert "Ctrl-C again ends it at once" in heard[-2][1].message
    assert store.find(specs(1)[0], any_status=True) is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_ends_a_run_that_does_not_listen(launch, store):
    outcomes, _ = launch("stubborn", on_event=interrupt_on("note", 2))
    assert [o.state for o in outcomes] == ["stopped"]
    assert store.find(specs(1)[0], any_status=True) is None, "an interrupted run is not a failure"


def test_jobs_run_at_the_same_time(launch):
    together: list[int] = []
    running: set[int] = set()

    def watch(number: int, event: Event) -> None:
        if event.kind == "start":
            running.add(number)
        if event.kind == "finished":
            running.discard(number)
        together.append(len(running))
        if event.message == "waiting" and len(running) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    outcomes, _ = launch("slow", "slow", jobs=2, on_event=watch)
    assert [o.state for o in outcomes] == ["stopped", "stopped"]
    assert max(together) == 2


def test_two_launchers_on_one_store_do_no_run_twice_and_lose_none(tmp_path, store):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from test_local import specs, RUNNER, Errand, open_launcher, Store\n"
        "errand = Errand(specs(4), Store(Path(sys.argv[1])), runner=RUNNER, jobs=2)\n"
        "print(' '.join(o.state for o in open_launcher('local')(errand)))\n"
    )
    here = str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "FAKE_RUNNER": ""}
    command = [sys.executable, "-c", code, str(store.root), here]
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    assert [p.communicate()[0].split() for p in pair] == [["done"] * 4] * 2
    runs = (store.root / "fake_runner.log").read_text().split("\n")[:-1]
    assert sorted(runs) == sorted(f"run {spec.run_id}" for spec in specs(4))
    assert len(store.records()) == 4


def test_an_unknown_launcher_names_the_known():
    with pytest.raises(UserError, match="unknown launcher 'slrum'"):
        open_launcher("slrum")


def test_an_emitted_command_does_exactly_that_run(store, tmp_path):
    spec = specs(1)[0]
    errand = Errand((spec,), store, runner=RUNNER)
    (outcome,) = open_launcher("emit")(errand)
    assert outcome.state == "emitted" and store.find(spec) is None
    shell = subprocess.run(
        outcome.message, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert '"finished"' in shell.stdout
    assert store.find(spec) is not None
