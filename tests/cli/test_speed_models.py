"""``speed`` of models: plan, groups, reuse, memory that runs out, and bad input."""

import json

import pytest
import torch
from bench_process import start_bench

from remamber.cli import _speed_study
from remamber.record.store import Store

SPEED = ("speed", "--device", "cpu")
TINY = (*SPEED, "--size", "tiny")


def runs_done(folder):
    lines = (folder / "runs" / "fake_runner.log").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("run ")]


def test_three_sizes_are_timed_reported_and_reused(bench, tmp_path):
    said = bench(*SPEED)
    assert said.status == 0, said.err
    assert "0 of 3 reused; 3 to do, one after the other" in said.err
    assert [run.split("-")[2] for run in runs_done(tmp_path)] == ["256", "512", "1024"]
    assert "remamber takes, of the time of lavt" in said.out
    assert (tmp_path / "reports" / "resolution.md").is_file()
    again = bench(*SPEED)
    assert "3 of 3 reused" in again.err and again.out == said.out
    assert len(runs_done(tmp_path)) == 3


def test_json_is_the_results_file_and_nothing_else(bench, tmp_path):
    said = bench(*TINY, "--res", "64,96", "--json")
    content = json.loads(said.out)
    assert [row["key"] for row in content["tables"]["time"]] == ["64 px", "96 px"]
    path = tmp_path / "reports" / "resolution-tiny-64-96" / "results.json"
    assert json.loads(path.read_text()) == content


def test_a_model_that_ran_out_of_memory_is_left_out_of_larger_images(bench, tmp_path):
    said = bench(*SPEED, "--res", "768,1024,1056,1280")
    assert said.status == 0
    by_size = {r.spec.speed.image_size: r for r in Store(tmp_path / "runs").records()}
    lavt = "status lavt-base"
    assert by_size[1024].data[lavt] == "oom"
    assert by_size[1056].data[lavt] == "skipped_oom"
    assert by_size[1280].spec.speed.skipped == (
        "lavt-base",
        "remamber-base-twister-channel-spatial-conv",
    )
    assert "OOM" in said.out
    assert "Out of memory: lavt at 1024 px and remamber at 1056 px." in " ".join(said.out.split())
    again = bench(*SPEED, "--res", "768,1024,1056,1280")
    assert "4 of 4 reused" in again.err


def test_fresh_measures_again_what_a_model_was_left_out_of(bench, tmp_path):
    words = (*SPEED, "--res", "1024,1056")
    bench(*words)
    assert bench(*words, "--fresh").status == 0
    first, second = runs_done(tmp_path)[:2], runs_done(tmp_path)[2:]
    assert first == second and len(set(first)) == 2


def test_how_long_is_measured_changes_no_name(bench, tmp_path):
    bench(*SPEED, "--set", "speed.budget_s=200")
    assert (tmp_path / "reports" / "resolution.md").is_file()


def test_no_skip_oom_tries_every_size(bench, tmp_path):
    bench(*SPEED, "--res", "1024,1056", "--no-skip-oom")
    found = [r.data["status lavt-base"] for r in Store(tmp_path / "runs").records()]
    assert found == ["oom", "oom"]


def test_a_killed_run_is_a_row_and_the_others_are_measured(bench):
    said = bench(*SPEED, "--res", "256,512", words="256=kill")
    assert said.status == 4
    row = next(x for x in said.out.splitlines() if x.startswith("256 px"))
    assert "failed" in row
    assert "killed by signal 9" in said.out


def test_a_dry_run_plans_and_does_nothing(bench, tmp_path):
    said = bench(*SPEED, "--sweep", "256-1024", "-n", "--json")
    plan = json.loads(said.out)
    assert [row["image_size"] for row in plan["runs"]] == [256, 448, 640, 832, 1024]
    assert plan["runs"][0]["models"] == ["remamber", "lavt"]
    assert not (tmp_path / "runs" / "fake_runner.log").exists()


def test_models_are_named_by_their_parts(bench):
    parts = ("--fusion", "twister", "--fusion", "attention", "--decoder", "mamba")
    said = bench(*TINY, "--res", "64", *parts, "--against", "lavt", "-n", "--json")
    (run,) = json.loads(said.out)["runs"]
    assert run["models"] == ["remamber twister channel-spatial", "remamber attention", "lavt"]


def test_earlier_runs_tell_how_long_it_will_take(bench):
    bench(*SPEED)
    said = bench(*SPEED, "--fresh", "-n")
    assert "3 to do, one after the other, about 3m00s by earlier runs" in said.out


def test_changed_code_is_measured_again(bench, tmp_path, monkeypatch):
    bench(*TINY, "--res", "64")
    monkeypatch.setattr(_speed_study, "speed_code_key", lambda: "changed")
    bench(*TINY, "--res", "64")
    assert len(set(runs_done(tmp_path))) == 2


def test_emitted_commands_are_one_a_group(bench):
    assert len(bench(*SPEED, "--launcher", "emit").out.splitlines()) == 3


def test_report_renders_the_same_again(bench, tmp_path):
    bench(*SPEED)
    again = bench("report", "resolution", "--out", "again")
    assert again.status == 0
    first, second = (tmp_path / f / "resolution.md" for f in ("reports", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_ablate_sends_a_study_of_speed_to_speed(bench):
    said = bench("ablate", "resolution")
    assert said.status == 2 and "remamber-bench speed --study resolution" in said.err


@pytest.mark.parametrize(
    ("arguments", "line", "fix"),
    [
        (["--res", "100"], "--res 100: expected a multiple of 32", "--res 96"),
        (["--res", "0"], "--res 0: expected a multiple of 32", "--res 256"),
        (["--res", "1000000"], "from 32 to 8192 pixels", "--res 8192"),
        (["--res", "x"], "--res x: expected", "--res 256"),
        (["--sweep", "512"], "--sweep 512: expected two sizes", "--sweep 256-1024"),
        (["--sweep", "1024-256"], "the first size must be the smaller", "--sweep 256-1024"),
        (["--model", "remambr"], "unknown model 'remambr'", "did you mean 'remamber'?"),
        (["--against", "lavtt"], "unknown model 'lavtt'", "did you mean 'lavt'?"),
        (["--fusion", "twistr"], "unknown fusion variant 'twistr'", "'twister'?"),
        (["--scan-order", "chanel"], "unknown scan ordering 'chanel'", "'channel'?"),
        (["--decoder", "convs"], "unknown decoder 'convs'", "'conv'?"),
        (["--size", "bas"], "unknown size 'bas'", "'base'?"),
        (["--dtype", "fp8"], "dtype", ""),
        (["--mode", "training"], "mode", ""),
        (["--batch", "0"], "batch", ""),
        (["--mode", "train", "--scope", "e2e"], "scope e2e is of inference", ""),
        (["--cuda-graph"], "cuda_graph needs device cuda", ""),
        (["--model", "lavt", "--model", "lavt", "--device", "tpu"], "expected cpu or cuda", "cpu"),
        (["--only", "s1_256"], "--only does not go with it", "--kernels"),
        (["--study", "scans"], "study 'scans' is not about speed", "ablate scans"),
        (["--study", "resolutoin"], "unknown study 'resolutoin'", "'resolution'?"),
        (["--set", "speed.rouds=3"], "speed.rouds", "speed.rounds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_a_fix(bench, arguments, line, fix):
    device = [] if "--device" in arguments else ["--device", "cpu"]
    said = bench("speed", *device, *arguments)
    assert (said.status, said.out) == (2, "")
    assert line in said.err and fix in said.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_where_there_is_none_is_exit_3(bench):
    said = bench("speed", "--res", "64", "--device", "cuda")
    assert said.status == 3 and "sees no CUDA GPU" in said.err


def test_a_record_of_another_schema_version_is_measured_again(bench, tmp_path):
    bench(*TINY, "--res", "64")
    (path,) = (tmp_path / "runs").glob("speed-*/record.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"record_version": 99}))
    assert bench(*TINY, "--res", "64").status == 0
    assert len(runs_done(tmp_path)) == 2


@pytest.mark.slow
def test_the_real_command_times_two_models_and_renders_them(tmp_path):
    quick = [f"speed.{k}={v}" for k, v in (("warm_s", 0.1), ("warm_cap_s", 0.3), ("budget_s", 1))]
    words = [word for value in quick for word in ("--set", value)]
    process = start_bench(
        *TINY,
        "--res",
        "32",
        "--against",
        "lavt",
        "--threads",
        "1",
        *words,
        cwd=tmp_path,
        fake=False,
    )
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "remamber against lavt" in out and "n/a (no CUDA)" not in out
    (record,) = Store(tmp_path / "runs").records()
    assert {v for k, v in record.data.items() if k.startswith("status")} == {"ok"}
    assert record.environment.threads == 1
    walls = {name: curve for name, curve in record.curves.items() if name.endswith("wall")}
    assert len(walls) == 4 and all(s > 0 for curve in walls.values() for _, s in curve)
    named = {m.metric for m in record.measurements}
    assert {"needed_bytes", "activations_bytes", "rss_peak_bytes", "cpu_s"} <= named
