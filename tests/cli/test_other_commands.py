"""``report``, ``list`` and ``doctor``."""

import json

import pytest

from remamber import __version__

LISTS = {
    "studies": "scans",
    "models": "remamber",
    "variants": "twister",
    "scans": "channel-spatial",
    "keys": "model.fusion.cube",
    "datasets": "synth-refcoco",
    "metrics": "mIoU",
    "launchers": "local",
    "tasks": "train",
    "figures": "forest",
}


@pytest.mark.parametrize("what", LISTS)
def test_list_names_what_there_is(bench, what):
    said = bench("list", what, "--json")
    rows = json.loads(said.out)[what]
    assert said.status == 0 and LISTS[what] in [row["name"] for row in rows]
    assert LISTS[what] in bench("list", what).out


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize("width", [80, 100])
def test_a_list_fits_the_screen_and_shows_no_markup(bench, monkeypatch, what, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = bench("list", what).out.splitlines()
    assert max(map(len, lines)) <= width
    assert not any("`" in line for line in lines)
    names = [row["name"] for row in json.loads(bench("list", what, "--json").out)[what]]
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == names


def test_the_version_is_that_of_the_package(bench):
    said = bench("--version")
    assert (said.status, said.out) == (0, f"remamber-bench {__version__}\n")


def test_an_unknown_list_names_the_nearest(bench):
    said = bench("list", "scan")
    assert said.status == 2 and "did you mean 'scans'?" in said.err


def test_runs_are_listed_and_reported_again_without_running(scans, bench, tmp_path):
    assert bench("list", "runs").out == ""
    scans("--only", "channel", "--only", "spatial")
    rows = json.loads(bench("list", "runs", "--json").out)["runs"]
    assert [row["status"] for row in rows] == ["ok"] * 3
    first = (tmp_path / "reports" / "scans-refcoco" / "results.json").read_bytes()
    log = (tmp_path / "runs" / "fake_runner.log").read_bytes()

    said = bench("report", "--out", "again", "--format", "json,csv")
    assert said.status == 0 and "Channel only" in said.out
    assert (tmp_path / "again" / "scans-refcoco" / "results.json").read_bytes() == first
    assert not (tmp_path / "again" / "scans-refcoco.html").exists()
    assert (tmp_path / "runs" / "fake_runner.log").read_bytes() == log
    assert json.loads(bench("report", "scans", "--json").out) == json.loads(first)


def test_a_report_of_nothing_says_what_to_run(bench):
    said = bench("report", "scans")
    assert said.status == 3
    assert "error: no runs of study 'scans' in" in said.err
    assert "fix         remamber-bench ablate scans" in said.err
    assert bench("report", "scnas").status == 2
    said = bench("report", "scans", "--profile", "fast")
    assert said.status == 2 and "unknown profile 'fast'" in said.err


def test_an_unknown_format_lists_the_known(scans, bench):
    scans("--only", "channel")
    said = bench("report", "scans", "--format", "pdf")
    assert said.status == 2 and "md, html, csv, json" in said.err


def test_doctor_tests_the_scan_and_gives_the_origin_of_every_setting(bench, tmp_path):
    (tmp_path / "remamber-bench.toml").write_text("threads = 2\n")
    said = bench("doctor", "--json", "--store", "elsewhere")
    checks = {check["name"]: check for check in json.loads(said.out)["checks"]}
    assert said.status == 0
    assert checks["scan backend"]["state"] == "ok"
    assert "differs from the reference by" in checks["scan backend"]["found"]
    assert checks["threads"]["found"].endswith("remamber-bench.toml)")
    assert checks["store"]["found"] == f"{tmp_path / 'elsewhere'}  (the command line)"
    assert "--dry-run measures it" in checks["ablate scans"]["found"]


def test_doctor_gives_a_fix_for_what_is_missing(bench, data_root, monkeypatch):
    monkeypatch.setattr("remamber.cli._checks._scan_error", lambda backend: 0.5)
    said = bench("doctor", "--data-root", str(data_root))
    lines = said.out.splitlines()
    assert said.status == 3
    assert any(line.startswith("✘ scan backend") for line in lines)
    assert any(line.startswith("✔ refcoco ") for line in lines)
    (missing,) = [n for n, line in enumerate(lines) if line.startswith("! refcocog")]
    rest = lines[missing + 1 :]
    hanging = rest[: next(n for n, line in enumerate(rest) if not line.startswith(" "))]
    assert any(line.split()[0] == "fix" for line in hanging)
    assert any("data list --explain refcocog" in line for line in hanging)


def test_doctor_speaks_of_other_data_sets_only_where_they_are_there(bench, data_root):
    others = {"grefcoco", "refclef", "phrasecut"}
    names = {check["name"] for check in doctored(bench, data_root)}
    assert {"refcoco", "refcoco+", "refcocog"} <= names
    assert not names & others
    (data_root / "grefcoco").mkdir()
    (data_root / "grefcoco" / "instances.json").write_text("{}")
    checks = {check["name"]: check for check in doctored(bench, data_root)}
    assert checks.keys() & others == {"grefcoco"}
    assert checks["grefcoco"]["state"] == "warning"
    assert "grefs(unc).json" in checks["grefcoco"]["found"]


def doctored(bench, data_root):
    return json.loads(bench("doctor", "--json", "--data-root", str(data_root)).out)["checks"]
