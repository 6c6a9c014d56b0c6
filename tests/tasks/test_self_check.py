"""The scan timed against itself, and where the machine's noise is kept."""

import pytest

from remamber.record.noise import NoiseFloor, read_noise, write_noise
from remamber.tasks import _self_check
from remamber.tasks._self_check import noise_floor

NOISE = NoiseFloor(
    machine="abc",
    device="cpu",
    threads=4,
    trials=10,
    rounds=20,
    floor=0.01,
    one_after_other=0.2,
    false_verdicts=0,
    false_one_after_other=4,
    measured="2026-01-02T03:04:05+00:00",
)


class DriftingClock:
    """Every block takes longer than the one before: 2 % a block, and the scan is never run."""

    def __init__(self):
        self.blocks = 0

    def __call__(self, call, calls):
        self.blocks += 1
        return calls * 0.02 * 1.02**self.blocks


def test_a_drift_is_found_one_after_the_other_and_not_when_interleaved(monkeypatch):
    monkeypatch.setattr(_self_check, "make_stopwatch", lambda device: DriftingClock())
    told = []
    noise = noise_floor(trials=3, on_trial=lambda done, total: told.append((done, total)))
    assert (noise.false_verdicts, noise.false_one_after_other) == (0, 3)
    assert noise.one_after_other == pytest.approx(1.02**20 - 1)
    assert noise.floor < 0.021
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_scan_is_really_timed():
    noise = noise_floor(trials=1)
    assert noise.floor >= 0
    assert noise.trials == 1


def test_noise_is_kept_by_machine(tmp_path):
    write_noise(tmp_path, NOISE)
    assert read_noise(tmp_path, "abc") == NOISE
    assert read_noise(tmp_path, "other") is None


def test_a_damaged_file_counts_as_not_measured(tmp_path):
    write_noise(tmp_path, NOISE).write_text("{")
    assert read_noise(tmp_path, "abc") is None
