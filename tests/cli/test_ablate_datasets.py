"""``ablate`` over several data sets, its reports' names, and what the paper's scale needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_refcoco import write_small_refcoco
from text_folders import FOLDER, write_clip

SMALL = (
    "--set", "model.size=tiny", "--set", "model.text.name=word", "--set", "model.start=none",
    "--steps", "20", "--image-size", "64",
)  # fmt: skip
START = "vssm_base_0229_ckpt_epoch_237.pth"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """The paper's three data sets, small."""
    folder = tmp_path_factory.mktemp("three")
    write_small_refcoco(folder, seed=0)
    write_small_refcoco(folder, seed=1, folder="refcoco+")
    three = ("train", "val", "test")
    write_small_refcoco(folder, seed=2, folder="refcocog", split_by="umd", splits=three)
    return folder


@pytest.fixture
def paper(bench, root):
    def run(study, *arguments, small=SMALL):
        return bench("ablate", study, "--data-root", str(root), *small, *arguments)

    return run


def test_all_at_the_papers_scale_is_eighteen_runs_once_each(paper, tmp_path):
    said = paper("all")
    assert said.status == 0, said.err
    assert "0 of 18 runs reused; 18 to do" in said.err
    log = (tmp_path / "runs" / "fake_runner.log").read_text().splitlines()
    done = [line.split()[1] for line in log if line.startswith("run ")]
    assert len(done) == len(set(done)) == 18 + 3, "and the bounds of three data sets"
    assert "18 of 18 runs reused" in paper("all").err
    report = (tmp_path / "reports" / "fusion-paper.md").read_text()
    assert report.index("RefCOCO: ") < report.index("RefCOCO+: ") < report.index("G-Ref: ")
    for value in ("71.6", "61.6", "61.1"):
        assert f"(paper {value}" in report, "the Twister's val mIoU of each data set"
    assert "fusion twister refcocog" in said.err


def test_one_data_set_is_chosen_by_name_or_as_a_value(paper, tmp_path):
    plan = json.loads(
        paper("fusion", "--only", "refcoco+", "--only", "twister", "-n", "--json").out
    )
    assert [run["label"] for run in plan["runs"]] == ["twister", "bounds"]
    assert [data["name"] for data in plan["data"]] == ["refcoco+"]
    said = paper("fusion", "--data", "refcocog", "--only", "twister")
    assert said.status == 0, said.err
    assert "(paper 61.1" in (tmp_path / "reports" / "fusion-paper-refcocog.md").read_text()


def test_runs_on_other_data_leave_the_report_of_the_usual_alone(bench, paper, tmp_path, root):
    place = ("--data-root", str(root), "--profile", "quick", "--only", "channel")
    assert bench("ablate", "scans", *place, "--data", "refcoco").status == 0
    first = (tmp_path / "reports" / "scans-refcoco.md").read_bytes()
    assert bench("ablate", "scans", *place, "--data", "refcoco+").status == 0
    assert (tmp_path / "reports" / "scans-refcoco.md").read_bytes() == first
    assert (tmp_path / "reports" / "scans-refcoco+.md").is_file()
    assert not (tmp_path / "reports" / "scans.md").exists()
    assert len(list((tmp_path / "runs" / "studies").iterdir())) == 2


def test_a_report_of_other_runs_is_not_replaced_in_silence(scans):
    assert "takes the place" not in scans("--only", "channel").err
    assert "takes the place" not in scans("--only", "channel", "--only", "spatial").err
    said = scans("--only", "spatial", "--steps", "7")
    assert "note: this report takes the place of that of: remamber-bench ablate scans" in said.err
    assert "--only channel --only spatial" in said.err


def test_all_that_the_papers_scale_needs_is_asked_for_at_once(paper, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    said = paper("scans", small=())
    assert said.status == 3
    assert "error: 2 things that these runs need are missing" in said.err
    for text in (
        "text encoder 'clip' needs openai/clip-vit-large-patch14, which is not on this machine",
        f"the weights '{START}' to start from are not on this machine",
        "hf download openai/clip-vit-large-patch14",
        f"releases/download/%23v2cls/{START}",
        "--set model.text.name=word",
        "--set model.start=none",
    ):
        assert text in said.err
    alone = paper("scans", "--set", "model.start=none", small=())
    assert "error: text encoder 'clip' needs" in alone.err


def test_the_papers_scale_takes_the_encoder_and_the_start_of_the_data_root(bench, root, tmp_path):
    place = tmp_path / "root"
    place.mkdir()
    for part in root.iterdir():
        (place / part.name).symlink_to(part)
    write_clip(place / FOLDER["clip"])
    (place / "weights").mkdir()
    (place / "weights" / START).write_bytes(b"weights")
    said = bench("ablate", "features", "--data-root", str(place), "--only", "image-local")
    assert said.status == 0, said.err
    report = (tmp_path / "reports" / "features-paper.md").read_text()
    assert f"conv decoder, clip text, started from {START}".replace("_", "\\_") in report


def test_a_data_set_that_is_not_there_names_those_that_are(bench, tmp_path):
    write_small_refcoco(tmp_path / "one")
    said = bench("ablate", "fusion", "--data-root", str(tmp_path / "one"), *SMALL)
    assert said.status == 3
    assert "or --data refcoco, which is here" in said.err


@pytest.mark.parametrize("code", ["import nothing_at_all", "raise RuntimeError('no')", "x ="])
def test_another_packages_broken_fusion_is_found_by_the_dry_run(tmp_path, root, code):
    site = tmp_path / "site"
    info = site / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remamber.fusions]\nmine = other_fusions:Mine\n")
    (site / "other_fusions.py").write_text(code + "\n")
    arguments = ["ablate", "fusion", "--data", "refcoco", "--data-root", str(root), "--dry-run"]
    arguments += ["--profile", "quick", "--only", "mine"]
    done = subprocess.run(
        [sys.executable, "-m", "remamber", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "error: fusion variant 'mine' of the package other cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr
