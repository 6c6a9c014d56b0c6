"""``ablate``: plan, runs, report, reuse; what a user sees when something goes wrong."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from bench_process import start_bench

from remamber.plan.study import Choices, expand, find_study, load_experiment
from remamber.record.claim import claim
from remamber.record.store import Store

ORDERS = ["channel", "spatial", "parallel", "spatial-channel", "channel-spatial"]


def runs_done(folder: Path) -> list[str]:
    lines = (folder / "runs" / "fake_runner.log").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("run ")]


def test_every_row_runs_is_reported_and_the_same_command_again_reuses_it(scans, tmp_path):
    said = scans()
    assert said.status == 0, said.err
    done = runs_done(tmp_path)
    assert len(done) == 6, "five rows and the bounds"
    for name in ("scans-refcoco.md", "scans-refcoco.html", "scans-refcoco/table.csv"):
        assert (tmp_path / "reports" / name).is_file()
    assert "Channel-Spatial" in said.out
    assert str(tmp_path / "reports" / "scans-refcoco.html") in said.err
    assert "0 of 5 runs reused; 5 to do" in said.err
    assert "[3/6 parallel] done mIoU 38.2 in " in said.err

    results = (tmp_path / "reports" / "scans-refcoco" / "results.json").read_bytes()
    again = scans()
    assert again.status == 0 and again.out == said.out
    assert "5 of 5 runs reused" in again.err
    assert runs_done(tmp_path) == done
    assert (tmp_path / "reports" / "scans-refcoco" / "results.json").read_bytes() == results
    quiet = scans("-q")
    assert [line.split()[0] for line in quiet.err.splitlines()] == ["md", "html"]


def test_the_command_line_stands_in_the_study_and_the_fingerprint_in_the_specs(scans, tmp_path):
    scans("--only", "channel")
    runs = json.loads((tmp_path / "runs" / "studies" / "scans-refcoco.json").read_text())
    assert runs["status"] == "finished"
    assert runs["command"].startswith("remamber-bench ablate scans --data refcoco")
    assert len(runs["run_ids"]) == 1 and runs["bounds_ids"][0].startswith("bounds-refcoco")
    record = tmp_path / "runs" / runs["run_ids"][0] / "record.json"
    assert len(json.loads(record.read_text())["spec"]["data"]["fingerprint"]) == 64


def test_a_dry_run_times_each_model_prints_the_plan_and_runs_nothing(scans, tmp_path):
    said = scans("--dry-run")
    assert said.status == 0
    rows = [line.split() for line in said.out.splitlines() if line.startswith("  ")]
    assert [r[0] for r in rows if len(r) > 3 and r[1:3] == ["to", "do"]][:5] == ORDERS
    assert "1.90 M" in said.out and "about" in said.out
    log = (tmp_path / "runs" / "fake_runner.log").read_text().splitlines()
    assert log == [f"calibrate {order}" for order in ORDERS]
    assert not (tmp_path / "reports").exists()


def test_a_budget_is_one_step_count_for_all_rows_and_the_same_again(scans, tmp_path):
    first = scans("--budget", "5m", "--dry-run", "--json")
    plan = json.loads(first.out)
    steps = {run["steps"] for run in plan["runs"] if run["steps"] is not None}
    assert len(steps) == 1 and steps.pop() > 100
    assert f"{plan['runs'][0]['steps']:,} steps for every run fit into 300 s" in first.err
    assert plan["seconds"] <= 300
    assert json.loads(scans("--budget", "5m", "-n", "--json").out)["runs"] == plan["runs"]


def test_a_failed_row_is_told_kept_and_the_report_written(scans, tmp_path):
    said = scans(words="spatial=error parallel=kill")
    assert said.status == 4
    assert "error: spatial failed: it broke" in said.err
    assert "Traceback of the broken run" in said.err
    assert "error: parallel failed: the run was killed by signal 9 (SIGKILL)" in said.err
    assert "stderr.log" in said.err
    assert (tmp_path / "reports" / "scans-refcoco.md").is_file()
    again = scans()
    assert again.status == 0 and "3 of 5 runs reused; 2 to do" in again.err


def test_fail_fast_does_not_start_the_rest(scans, tmp_path):
    said = scans("--fail-fast", "--jobs", "1", words="channel=error")
    assert said.status == 4
    assert len(runs_done(tmp_path)) == 1


def test_a_full_disk_in_every_run_is_its_own_exit_code(scans):
    said = scans("--only", "channel", words="channel=refuse bounds=refuse")
    assert said.status == 3
    assert "no space left on the disk" in said.err
    assert "error: none of the 1 runs could be done" in said.err


def test_fresh_runs_again_and_keeps_the_old(scans, tmp_path):
    scans("--only", "channel")
    said = scans("--only", "channel", "--fresh")
    assert said.status == 0 and "0 of 1 runs reused" in said.err
    assert len(runs_done(tmp_path)) == 4
    assert len(list((tmp_path / "runs").glob("*.old"))) == 2


def test_a_run_under_way_cannot_be_run_afresh(scans, tmp_path):
    plan = json.loads(scans("--only", "channel", "-n", "--json").out)
    store = Store(tmp_path / "runs")
    with claim(store.root / "claims" / f"{plan['runs'][0]['run_id']}.json"):
        said = scans("--only", "channel", "--fresh")
    assert said.status == 3
    assert "error: channel cannot be run afresh: it is held by process" in said.err


def test_every_seed_is_a_run_of_its_own_and_named(scans):
    plan = json.loads(scans("--only", "channel", "--seeds", "0,3", "-n", "--json").out)
    assert [run["label"] for run in plan["runs"]] == ["channel seed 0", "channel seed 3", "bounds"]


def test_a_damaged_record_is_named_set_aside_and_run_again(scans, tmp_path):
    scans("--only", "channel", "--only", "spatial")
    (path,) = (tmp_path / "runs").glob("remamber-*-channel-refcoco-*/record.json")
    path.write_bytes(path.read_bytes()[:300])
    said = scans("--only", "channel", "--only", "spatial")
    assert said.status == 0
    assert f"warning: {path} is damaged" in said.err
    assert "set aside as record.json.damaged" in said.err
    assert "1 of 2 runs reused; 1 to do" in said.err
    assert path.with_name("record.json.damaged").exists() and path.exists()


def test_emit_prints_one_exact_command_a_run(scans, tmp_path):
    said = scans("--launcher", "emit", "--only", "channel", "--only", "spatial")
    assert said.status == 0
    commands = said.out.splitlines()
    assert len(commands) == 3 and not runs_folder_records(tmp_path)
    for command in commands:
        subprocess.run(command, shell=True, check=True, capture_output=True)
    assert len(runs_folder_records(tmp_path)) == 3
    assert "remamber-bench report scans" in said.err
    assert "2 of 2 runs reused" in scans("--only", "channel", "--only", "spatial").err


@pytest.mark.parametrize(("given", "asked"), [((), None), (("--workers", "0"), 0)])
def test_the_number_of_decoding_processes_reaches_a_run_and_not_its_name(
    scans, tmp_path, given, asked
):
    said = scans("--launcher", "emit", "--only", "channel", *given)
    assert said.status == 0, said.err
    names = {path.parent.name for path in (tmp_path / "runs").glob("remamber-*/request.json")}
    (name,) = names
    content = json.loads((tmp_path / "runs" / name / "request.json").read_text())
    assert content["place"]["loaders"] == asked
    assert "loaders" not in content["spec"]["data"]


def runs_folder_records(folder: Path) -> list[Path]:
    return list((folder / "runs").glob("*/record.json"))


def test_the_profile_follows_the_data(bench, data_root, scans):
    given = ("--data", "refcoco", "--data-root", str(data_root), "-n", "--json")
    here = ("--set", "model.text.name=word", "--set", "model.start=none")
    paper = json.loads(bench("ablate", "scans", *given, *here, "--only", "channel").out)
    assert paper["profile"] == "paper" and paper["runs"][0]["steps"] % 50 == 0
    quick = json.loads(scans("-n", "--json").out)
    assert quick["profile"] == "quick" and quick["runs"][0]["steps"] == quick_steps()


def test_a_study_of_ones_own_gets_a_plain_report(bench, data_root, tmp_path):
    path = tmp_path / "mine.toml"
    shipped = Path(__file__).parents[2] / "experiments" / "scans.toml"
    path.write_text(shipped.read_text())
    place = ("--data", "refcoco", "--data-root", str(data_root), "--profile", "quick")
    said = bench("ablate", str(path), *place, "--only", "channel", "--only", "spatial")
    assert said.status == 0, said.err
    assert (tmp_path / "reports" / "mine-refcoco.md").is_file()


def wait_for(stream, text: str) -> str:
    read = ""
    for line in stream:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} not in:\n{read}")


def arguments_for(data_root: Path) -> tuple[str, ...]:
    place = ("--data", "refcoco", "--data-root", str(data_root), "--profile", "quick")
    return ("ablate", "scans", *place, "--only", "channel", "--only", "spatial")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_says_how_to_go_on_and_is_exit_130(tmp_path, data_root, number):
    arguments = (*arguments_for(data_root), "--jobs", "1")
    process = start_bench(*arguments, cwd=tmp_path, words="channel=slow")
    wait_for(process.stderr, "waiting")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "stopped at step 3; run the same command to go on"
    again = start_bench(*arguments, cwd=tmp_path)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0 and "Channel only" in out


def test_terminating_a_command_that_times_models_ends_the_model_too(tmp_path, data_root):
    process = start_bench(*arguments_for(data_root), "-n", cwd=tmp_path, words="calibrate=slow")
    wait_for(process.stderr, "timing a few steps")
    log = tmp_path / "runs" / "fake_runner.log"
    deadline = time.monotonic() + 30
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    (runner,) = psutil.Process(process.pid).children()
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; run the same command to go on" in err
    gone, _ = psutil.wait_procs([runner], timeout=10)
    assert gone


def test_two_commands_on_one_store_do_no_run_twice(tmp_path, data_root):
    arguments = arguments_for(data_root)
    pair = [start_bench(*arguments, cwd=tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    done = runs_done(tmp_path)
    assert len(done) == 3 and len(set(done)) == 3


def test_the_parent_never_imports_torch(tmp_path, data_root):
    arguments = [*arguments_for(data_root)]
    code = (
        "import sys; import remamber.launch; from fake_runner import RUNNER\n"
        "remamber.launch.RUNNER = RUNNER\n"
        "from remamber.cli import main\n"
        f"status = main({arguments!r})\n"
        "print(status, sorted({'torch', 'transformers', 'numba'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def quick_steps():
    (spec, *_) = expand(load_experiment(find_study("scans")), Choices(), origin="scans")
    return spec.train.steps
