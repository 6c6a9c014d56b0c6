"""``ablate fusion``, ``ablate features`` and ``ablate all``: shared runs are done once."""

import json
import subprocess
import sys

import pytest
from text_folders import FOLDER, write_clip

from remamber.registry import FUSIONS

STUDIES = {"scans": 5, "fusion": 4, "features": 3}


def runs_done(folder):
    lines = (folder / "runs" / "fake_runner.log").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("run ")]


@pytest.fixture
def ablate(bench, data_root):
    def run(study, *arguments, words="", root=data_root):
        place = ("--data", "refcoco", "--data-root", str(root), "--profile", "quick")
        return bench("ablate", study, *place, *arguments, words=words)

    return run


def test_fusion_reuses_the_full_twister_of_scans(ablate, tmp_path):
    assert ablate("scans").status == 0
    said = ablate("fusion")
    assert said.status == 0, said.err
    assert "1 of 4 runs reused; 3 to do" in said.err
    for label in ("Attention", "In-Context", "Adaptation", "Mamba Twister"):
        assert label in said.out
    assert "(paper 71.6" in (tmp_path / "reports" / "fusion-refcoco.md").read_text()
    assert "1 of 3 runs reused; 2 to do" in ablate("features").err


def test_all_runs_the_union_once_and_writes_three_reports(ablate, tmp_path):
    said = ablate("all")
    assert said.status == 0, said.err
    assert "0 of 10 runs reused; 10 to do" in said.err
    done = runs_done(tmp_path)
    assert len(done) == len(set(done)) == 11, "ten rows and the bounds"
    for study, rows in STUDIES.items():
        runs = json.loads((tmp_path / "runs" / "studies" / f"{study}-refcoco.json").read_text())
        assert len(runs["run_ids"]) == rows and runs["status"] == "finished"
        assert (tmp_path / "reports" / f"{study}-refcoco.md").is_file()
        assert str(tmp_path / "reports" / f"{study}-refcoco.html") in said.err
        assert f"{rows} of {rows} runs reused" in ablate(study).err
    assert "scans channel-spatial" in said.err, "a shared run has one name"
    assert "Channel-Spatial" in said.out and "In-Context" in said.out and "Image+Local" in said.out
    assert "10 of 10 runs reused" in ablate("all").err
    assert runs_done(tmp_path) == done


def test_all_as_json_is_one_document_by_study(ablate):
    document = json.loads(ablate("all", "--json").out)
    assert list(document["studies"]) == list(STUDIES)
    alone = json.loads(ablate("fusion", "--json").out)
    assert document["studies"]["fusion"]["study"] == alone["study"]


def test_a_budget_for_all_is_one_step_count_for_every_row(ablate):
    plan = json.loads(ablate("all", "--budget", "30m", "--dry-run", "--json").out)
    rows = [run for run in plan["runs"] if run["steps"] is not None]
    assert len(rows) == 10 and len({run["steps"] for run in rows}) == 1
    assert plan["seconds"] <= 1800


def test_only_is_refused_for_all(ablate):
    said = ablate("all", "--only", "channel")
    assert said.status == 2
    assert "remamber-bench ablate scans --only channel" in said.err


def test_a_failed_row_of_all_is_a_row_in_its_report(ablate, tmp_path):
    said = ablate("all", words="spatial=error")
    assert said.status == 4
    assert "error: scans spatial failed: it broke" in said.err
    assert all((tmp_path / "reports" / f"{study}-refcoco.md").is_file() for study in STUDIES)


def test_a_missing_text_encoder_is_refused_before_anything_runs(ablate, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    said = ablate("fusion", "--set", "model.text.name=clip")
    assert said.status == 3
    assert "text encoder 'clip' needs openai/clip-vit-large-patch14" in said.err
    assert "hf download openai/clip-vit-large-patch14 config.json" in said.err
    assert not (tmp_path / "runs" / "fake_runner.log").exists()


def test_the_text_encoders_fingerprint_stands_in_the_specs(ablate, tmp_path, data_root):
    root = tmp_path / "root"
    root.mkdir()
    for part in data_root.iterdir():
        (root / part.name).symlink_to(part)
    write_clip(root / FOLDER["clip"])
    arguments = ("--set", "model.text.name=clip", "--only", "attention")
    assert ablate("fusion", *arguments, root=root).status == 0
    (record,) = (tmp_path / "runs").glob("remamber-*/record.json")
    text = json.loads(record.read_text())["spec"]["model"]["text"]
    assert text["name"] == "clip" and len(text["fingerprint"]) == 64
    assert "1 of 1 runs reused" in ablate("fusion", *arguments, root=root).err


def test_a_fusion_of_another_package_is_listed_and_can_be_a_row(tmp_path, data_root):
    """A small package with an entry point, installed by its metadata beside the program."""
    site = tmp_path / "site"
    info = site / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remamber.fusions]\nmine = other_fusions:Mine\n")
    (site / "other_fusions.py").write_text(
        "from remamber.fusions.norm_adaptation import NormAdaptation\n\n\n"
        "class Mine(NormAdaptation):\n    pass\n"
    )
    code = (
        "import remamber.launch; from fake_runner import RUNNER\n"
        "remamber.launch.RUNNER = RUNNER\n"
        "from remamber.cli import main\n"
        "assert main(['list', 'variants']) == 0\n"
        f"status = main(['ablate', 'fusion', '--data', 'refcoco', '--data-root',"
        f" {str(data_root)!r}, '--profile', 'quick', '--only', 'twister', '--only', 'mine'])\n"
        "print('status', int(status))\n"
    )
    from pathlib import Path

    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tests}:{site}", "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "status 0" in done.stdout, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.split()[:1] == ["mine"] and "other_fusions:Mine" in line for line in lines)
    assert any("mine" in line and "71.6" not in line for line in lines[len(FUSIONS.names()) :])
    assert (tmp_path / "reports" / "fusion-refcoco.md").read_text().count("mine") > 0
