"""``new fusion NAME``: a skeleton that works when it is dropped in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_it_writes_one_file_and_says_what_to_do_next(bench, tmp_path):
    said = bench("new", "fusion", "my-fusion")
    assert said.status == 0, said.err
    assert said.out == "my_fusion.py\n"
    text = (tmp_path / "my_fusion.py").read_text()
    assert '@register("my-fusion")' in text and "class MyFusion(nn.Module)" in text
    assert "$" not in text
    assert '[project.entry-points."remamber.fusions"]' in said.err
    assert 'my-fusion = "my_fusion:MyFusion"' in said.err


def test_in_a_checkout_it_goes_onto_the_shelf(bench, tmp_path):
    (tmp_path / "remamber/fusions").mkdir(parents=True)
    (tmp_path / "remamber/fusions/__init__.py").touch()
    said = bench("new", "fusion", "my-fusion")
    assert said.out == "remamber/fusions/my_fusion.py\n"
    assert "pytest tests/fusions/test_fusion_contract.py -k my-fusion" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fusion", "My_Fusion"), "'My_Fusion' cannot be the name of a fusion"),
        (("fusion", "../x"), "cannot be the name"),
        (("fusion", "class"), "cannot be the name"),
        (("fusion", "none"), "cannot be the name"),
        (("fusion", "a" * 300), "cannot be the name"),
        (("fusion", "tensor"), "the class Tensor would hide what the skeleton imports"),
        (("fusion", "spatial-scan"), "the class SpatialScan would hide"),
        (("fusion", "json"), "'json' is a module already"),
        (("fusion", "twister"), "there is a fusion 'twister' already"),
        (("fusoin", "x"), "did you mean 'fusion'?"),
    ],
)
def test_a_bad_name_is_refused_and_nothing_written(bench, tmp_path, arguments, said):
    refused = bench("new", *arguments)
    assert refused.status == 2 and said in refused.err
    assert list(tmp_path.glob("*.py")) == []


def test_no_file_is_overwritten(bench, tmp_path):
    (tmp_path / "my_fusion.py").write_text("mine")
    refused = bench("new", "fusion", "my-fusion")
    assert refused.status == 2 and "is there already" in refused.err
    assert (tmp_path / "my_fusion.py").read_text() == "mine"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A package that another has installed: a fresh skeleton and its entry point."""
    site = tmp_path_factory.mktemp("site")
    run(site, "-m", "remamber", "new", "fusion", "my-fusion", "--to", str(site))
    info = site / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remamber.fusions]\nmy-fusion = my_fusion:MyFusion\n")
    return site


def run(site, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_skeleton_passes_every_contract_test(site):
    contract = ("tests/fusions/test_fusion_contract.py", "-k", "my-fusion")
    summary = run(site, "-m", "pytest", "-p", "no:cacheprovider", *contract).splitlines()[-1]
    assert " passed" in summary and int(summary.split(" passed")[0].split()[-1]) > 30


def test_the_skeleton_is_listed_and_in_the_houses_style(site):
    assert "my-fusion" in run(site, "-m", "remamber", "list", "variants")
    path = str(site / "my_fusion.py")
    style = ("--config", str(ROOT / "pyproject.toml"))
    run(site, "-m", "ruff", "check", *style, path)
    run(site, "-m", "ruff", "format", *style, "--check", path)


def test_the_skeleton_reads_the_image_in_the_models_directions(bench, tmp_path):
    """With fewer directions a scan left at four would give each position what others keep."""
    assert bench("new", "fusion", "my-fusion").status == 0
    assert "directions=shape.directions" in (tmp_path / "my_fusion.py").read_text()
