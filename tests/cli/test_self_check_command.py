"""``doctor --self-check``: the noise floor is measured, said and kept, and reports go by it."""

import json

import pytest
from simulated_speed import speed_spec, speed_store

from remamber.record.noise import NoiseFloor, read_noise
from remamber.tasks import _self_check


def floor_of(share):
    return NoiseFloor(
        machine="m",
        device="cpu",
        threads=4,
        trials=10,
        rounds=20,
        floor=share,
        one_after_other=0.2,
        false_verdicts=0,
        false_one_after_other=4,
        measured="2026-01-02T03:04:05+00:00",
    )


@pytest.fixture
def measured(monkeypatch):
    def give(share):
        def noise_floor(*, on_trial):
            on_trial(10, 10)
            return floor_of(share)

        monkeypatch.setattr(_self_check, "noise_floor", noise_floor)

    return give


def line_of(said):
    return next(c for c in json.loads(said.out)["checks"] if c["name"] == "noise")


def test_the_noise_is_said_and_kept_beside_the_records(bench, tmp_path, measured):
    measured(0.013)
    said = bench("doctor", "--self-check", "--json")
    check = line_of(said)
    assert check["state"] == "ok"
    assert "1.3 %" in check["found"] and "differences below 2" in check["found"]
    assert read_noise(tmp_path / "runs", "m") == floor_of(0.013)


def test_a_loud_machine_is_warned_of(bench, measured):
    measured(0.13)
    check = line_of(bench("doctor", "--self-check", "--json"))
    assert check["state"] != "ok"
    assert "13.0 %" in check["found"] and "stop what else runs" in json.dumps(check)


def test_without_it_nothing_is_measured(bench, monkeypatch):
    monkeypatch.setattr(_self_check, "noise_floor", lambda **_: pytest.fail("was measured"))
    checks = json.loads(bench("doctor", "--json").out)["checks"]
    assert all(check["name"] != "noise" for check in checks)


def test_a_speed_report_names_the_noise_floor(bench, tmp_path, measured):
    store, runs = speed_store(tmp_path / "runs", (256,))
    store.write_study_runs(runs)
    head = bench("report", "resolution", "--out", str(tmp_path / "reports"))
    text = (tmp_path / "reports" / "resolution.md").read_text()
    assert head.status == 0 and "noise floor not measured (doctor --self-check)" in text
    measured(0.013)
    bench("doctor", "--self-check")
    assert speed_spec(256).speed.machine == "m"
    bench("report", "resolution", "--out", str(tmp_path / "reports"))
    text = (tmp_path / "reports" / "resolution.md").read_text()
    assert "noise floor 1.3 % (measured 2026-01-02)" in text
