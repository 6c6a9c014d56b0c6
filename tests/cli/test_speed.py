"""``speed --kernels``: plan, runs, report, reuse, and what a user sees when something is wrong."""

import json

import pytest
import torch
from bench_process import start_bench

from remamber.cli import _kernels
from remamber.plan.spec import RunSpec
from remamber.record.store import Store

QUICK = ["s1_256", "s3_256", "ch2", "mamba", "start-up"]
SPEED = ("speed", "--kernels", "--device", "cpu")


def runs_done(folder):
    lines = (folder / "runs" / "fake_runner.log").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("run ")]


def test_every_shape_runs_is_reported_and_the_same_command_again_reuses_it(bench, tmp_path):
    said = bench(*SPEED)
    assert said.status == 0, said.err
    done = runs_done(tmp_path)
    assert [name.split("-cpu-")[0] for name in done] == [f"kernels-{case}" for case in QUICK]
    for name in ("md", "html"):
        assert (tmp_path / "reports" / f"scan_kernels.{name}").is_file()
    assert "0 of 5 reused; 5 to do, one after the other" in said.err
    assert "[2/5 s3_256] done " in said.err
    assert "× reference (ours)" in said.out
    assert said.out.count("s1_256 (1, 1024, 4096, 1, 4)") == 3

    results = (tmp_path / "reports" / "scan_kernels" / "results.json").read_bytes()
    again = bench(*SPEED)
    assert "5 of 5 reused" in again.err and again.out == said.out
    assert runs_done(tmp_path) == done
    assert (tmp_path / "reports" / "scan_kernels" / "results.json").read_bytes() == results


def test_json_is_the_results_file_and_nothing_else(bench, tmp_path):
    said = bench(*SPEED, "--only", "mamba", "--json")
    content = json.loads(said.out)
    assert content["study"] == "scan_kernels"
    assert [row["key"] for row in content["tables"]["forward"]] == ["mamba"]
    path = tmp_path / "reports" / "scan_kernels" / "results.json"
    assert json.loads(path.read_text()) == content


def test_a_changed_kernel_or_thread_count_is_measured_again(bench, tmp_path, monkeypatch):
    bench(*SPEED, "--only", "mamba")
    bench(*SPEED, "--only", "mamba", "--threads", "3")
    monkeypatch.setattr(_kernels, "kernel_code_key", lambda: "changed")
    bench(*SPEED, "--only", "mamba", "--threads", "3")
    assert len(set(runs_done(tmp_path))) == 3


def test_the_threads_that_the_runner_gets_are_those_in_the_spec(bench, tmp_path):
    bench(*SPEED, "--only", "mamba", "--threads", "3", "--launcher", "emit")
    (path,) = (tmp_path / "runs").glob("kernels-mamba-*/request.json")
    request = json.loads(path.read_text())
    assert request["threads"] == 3
    spec = RunSpec.model_validate(request["spec"])
    assert (spec.kernels.threads, spec.kernels.device) == (3, "cpu")
    assert len(spec.kernels.machine) == len(spec.kernels.code) == 16


def test_emitted_commands_are_one_a_shape(bench):
    said = bench(*SPEED, "--launcher", "emit")
    assert len(said.out.splitlines()) == len(QUICK)


def test_a_dry_run_plans_and_does_nothing(bench, tmp_path):
    said = bench(*SPEED, "--profile", "full", "-n", "--json")
    plan = json.loads(said.out)
    assert [row["label"] for row in plan["runs"]].count("s1_1024") == 1
    assert len(plan["runs"]) == 22 and plan["seconds"] is None
    assert not (tmp_path / "runs" / "fake_runner.log").exists()


def test_earlier_runs_tell_how_long_it_will_take(bench):
    bench(*SPEED)
    said = bench(*SPEED, "--fresh", "-n")
    assert "5 to do, one after the other, about 5m00s by earlier runs" in said.out


def test_one_failed_shape_is_a_row_and_exit_4(bench):
    said = bench(*SPEED, words="mamba=error")
    assert said.status == 4
    assert "error: mamba failed" in said.err
    assert "mamba failed: at line 3" in said.out
    row = next(x for x in said.out.splitlines() if x.startswith("mamba ("))
    assert "failed" in row


def test_ablate_sends_a_kernel_study_to_speed_and_report_renders_it(bench, tmp_path):
    said = bench("ablate", "scan_kernels")
    assert said.status == 2 and "remamber-bench speed --kernels" in said.err
    assert bench("report", "scan_kernels").status == 3
    bench(*SPEED, "--only", "mamba")
    again = bench("report", "scan_kernels", "--out", "again")
    assert again.status == 0 and "mamba (1, 1536, 2048, 16, 1)" in again.out
    first, second = (tmp_path / f / "scan_kernels.md" for f in ("reports", "again"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "line", "fix"),
    [
        (["--kernels", "--res", "256"], 2, "--res does not go with it", "--only s1_256"),
        (["--kernels", "--only", "s1_265"], 2, "unknown variant 's1_265'", "'s1_256'?"),
        (["--kernels", "--profile", "fast"], 2, "unknown profile 'fast'", "quick"),
        (["--kernels", "--device", "tpu"], 2, "expected cpu or cuda", "--device cpu"),
        (["--kernels", "--set", "kernels.cell_s=0"], 2, "kernels.cell_s", "change"),
        (["--kernels", "--set", "kernels.rouds=3"], 2, "kernels.rouds", "kernels.rounds"),
        (["--kernels", "--threads", "0"], 2, "threads", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_a_fix(bench, arguments, status, line, fix):
    said = bench("speed", *arguments)
    assert (said.status, said.out) == (status, "")
    assert line in said.err and fix in said.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_where_there_is_none_is_exit_3(bench):
    said = bench("speed", "--kernels", "--device", "cuda")
    assert said.status == 3
    assert "sees no CUDA GPU" in said.err and "--device cpu" in said.err


def test_without_a_gpu_the_cpu_is_taken(bench, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    bench("speed", "--kernels", "--only", "mamba")
    (record,) = Store(tmp_path / "runs").records()
    assert record.spec.kernels.device == "cpu"


@pytest.mark.slow
def test_the_real_command_times_a_shape_and_renders_it(tmp_path):
    quick = ("--set", "kernels.cell_s=1", "--set", "kernels.rounds=6", "--threads", "2")
    process = start_bench(*SPEED, "--only", "tr4", *quick, cwd=tmp_path, fake=False)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "tr4 (16, 2048, 16, 1, 4)" in out and "cpu (ours) is faster than" in out
    (record,) = Store(tmp_path / "runs").records()
    assert record.status == "ok" and record.environment.threads == 2
    errors = [m.value for m in record.measurements if m.metric == "error"]
    assert errors and max(errors) < 1e-5
    rounds = record.curves["scan cpu training"]
    assert 2 <= len(rounds) <= 6 and all(seconds > 0 for _, seconds in rounds)
