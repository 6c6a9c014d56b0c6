"""A run that was stopped and went on took the time of all its sessions."""

import os

import pytest

from remamber.record.sessions import Stopwatch, wall_s_until


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("remamber.record.sessions.time.monotonic", lambda: now[0])
    return now


def test_a_later_session_counts_on_from_what_was_saved(tmp_path, clock):
    first = Stopwatch(tmp_path)
    clock[0] += 30
    first.save()
    clock[0] += 500  # lost with the session, and not part of what the run goes on from
    second = Stopwatch(tmp_path)
    clock[0] += 12
    assert second.seconds == pytest.approx(42)
    second.save()
    assert Stopwatch(tmp_path).seconds == pytest.approx(42)


def test_a_run_that_is_over_leaves_no_time_for_the_next_one(tmp_path, clock):
    watch = Stopwatch(tmp_path)
    clock[0] += 30
    watch.save()
    watch.forget()
    assert Stopwatch(tmp_path).seconds == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "soon", "-5"])
def test_a_torn_file_is_no_time(tmp_path, clock, content):
    (tmp_path / "elapsed_s.txt").write_text(content)
    assert Stopwatch(tmp_path).seconds == 0


@pytest.mark.parametrize(("saved_at", "expected"), [(1000.0, 30 + 50), (1040.0, 30 + 10)])
def test_of_a_dead_process_the_time_since_its_last_checkpoint_counts(
    tmp_path, clock, saved_at, expected
):
    watch = Stopwatch(tmp_path)
    clock[0] += 30
    watch.save()
    os.utime(tmp_path / "elapsed_s.txt", (saved_at, saved_at))
    assert wall_s_until(1050.0, tmp_path, started=1000.0) == pytest.approx(expected)


def test_a_first_session_that_died_early_took_its_own_time(tmp_path):
    assert wall_s_until(1050.0, tmp_path, started=1000.0) == pytest.approx(50)
