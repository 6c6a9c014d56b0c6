"""Mistakes of a user: each an exit code, one sentence, the place, and a fix."""

import json
import re
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "line", "fix"),
    [
        (["ablate", "scan"], "error: unknown study 'scan'", "did you mean 'scans'?"),
        (["ablate"], "error: missing argument 'STUDY'", "remamber-bench list studies"),
        (["ablate", "scans", "--only", "chanel"], "unknown variant 'chanel'", "'channel'?"),
        (["ablate", "scans", "--data", "refcocoo"], "unknown data set 'refcocoo'", "'refcoco'?"),
        (["ablate", "scans", "--profile", "fast"], "unknown profile 'fast'", "choose one of quick"),
        (["ablate", "scans", "--set", "train.stepz=3"], "unknown key 'train.stepz'", "train.steps"),
        (["ablate", "scans", "--set", "steps"], "expected KEY=VALUE", "--set train.batch=16"),
        (["ablate", "scans", "--steps", "-3"], "train.steps: input should be greater", "change"),
        (["ablate", "scans", "--steps", "x"], "invalid value for '--steps'", "ablate --help"),
        (["ablate", "scans", "--seeds", "a"], "expected whole numbers", "--seeds 0,1,2"),
        (["ablate", "scans", "--budget", "soon"], "expected a time such as", "--budget 10m"),
        (["ablate", "scans", "--scan-backend", "cdua"], "scan_backend", "change"),
        (["ablate", "scans", "--budget", "0"], "expected a time above 0", "--budget 10m"),
        (["ablate", "scans", "--budget", "9s"], "a budget of 9 s is too small", "--budget 10m"),
        (["ablate", "scans", "--set", "train=3"], "train: expected keys below it", "change train"),
        (["ablate", "scans", "--set", "data=3"], "data: expected keys below it", "change data"),
        (["ablate", "scans", "channel"], "unexpected argument 'channel'", "ablate --help"),
        (["ablate", "scans", "--launcher", "slrm"], "unknown launcher 'slrm'", "local"),
        (["ablate", "scans", "--display", "fancy"], "unknown display 'fancy'", "rich"),
        (["ablate", "scans", "--jobs", "0"], "invalid value for '--jobs'", "--help"),
        (["ablat", "scans"], "no such command 'ablat'", "--help"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_a_mistake_on_the_command_line_is_exit_2_with_a_fix(bench, arguments, line, fix):
    said = bench(*arguments)
    assert said.status == 2
    assert said.out == ""
    first, *rest = said.err.splitlines()
    assert first.startswith("error: ") and line in said.err
    assert any(text.lstrip().startswith("fix") for text in rest), said.err
    assert fix in said.err.partition("  fix")[2]
    assert "Traceback" not in said.err


BAD_STUDIES = {
    "steps = -5": ("train.steps", "greater than 0"),
    "stepps = 5": ("train.stepps", "did you mean 'profiles.quick.run.train.steps'?"),
}


@pytest.mark.parametrize("line", BAD_STUDIES)
def test_a_bad_study_file_is_named_with_its_key(bench, tmp_path, line):
    path = tmp_path / "mine.toml"
    shipped = Path(__file__).parents[2] / "experiments" / "scans.toml"
    text, replaced = re.subn(r"(?m)^steps = \d+$", line, shipped.read_text())
    assert replaced == 1
    path.write_text(text)
    said = bench("ablate", str(path))
    key, detail = BAD_STUDIES[line]
    assert said.status == 2
    assert str(path) in said.err.splitlines()[0] and key in said.err.splitlines()[0]
    assert detail.split(".")[-1] in said.err


@pytest.mark.parametrize(
    ("option", "what"), [("--store", "the store"), ("--out", "the reports' folder")]
)
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(
    scans, tmp_path, option, what, more
):
    (tmp_path / "file").write_text("in the way")
    for folder in ("file", "file/below"):
        said = scans(option, folder, *more)
        assert said.status == 3
        text = json.loads(said.out)["error"]["message"] if more else said.err.splitlines()[0]
        assert f"cannot write into {what} {tmp_path / folder}" in text
    assert not (tmp_path / "runs" / "fake_runner.log").exists()


def test_missing_data_says_what_was_looked_for(bench):
    said = bench("ablate", "scans", "--data", "refcoco")
    assert said.status == 3
    assert "error: data set 'refcoco' needs a data root" in said.err
    assert "add --data-root DIR" in said.err
    said = bench("ablate", "scans", "--data-root", "nowhere")
    assert said.status == 3 and "is not a folder" in said.err


def test_an_absurd_depth_is_refused_before_anything_is_built(bench):
    said = bench("ablate", "fusion", "--set", "model.fusion.depth=100000000", "--dry-run")
    assert said.status == 2 and "less than or equal to 64" in said.err
