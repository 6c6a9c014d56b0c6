import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "gpu_check.py"
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed: pip install triton"
)


def _run(folder, budget):
    command = [sys.executable, SCRIPT, folder, "--device", "cpu", "--batch", "1"]
    subprocess.run([*command, "--budget", str(budget)], check=True, timeout=300)
    return json.loads((folder / "gpu_check.json").read_text())


@pytest.mark.slow
@needs_triton
def test_the_gpu_script_measures_everything_it_promises(tmp_path):
    found = _run(tmp_path, 200)
    assert set(found["tables"]) == {"errors", "SS2D, Triton", "selective scan", "tiles"}
    assert {row["op"] for row in found["tables"]["errors"]} == {
        "selective_scan",
        "directional_scan",
    }
    assert all(0 < row["gradients"] < 1e-5 for row in found["tables"]["errors"])
    fused = {(row["by"], row["pass"]) for row in found["tables"]["SS2D, Triton"]}
    assert fused == {(f, p) for f in ("fused", "composed") for p in ("forward", "both")}
    assert all(row["ms"] > 0 and row["of bandwidth"] > 0 for row in found["tables"]["SS2D, Triton"])
    assert found["failed"] == found["left out"] == []
    assert "mamba-ssm" in found["machine"]["backend mamba-ssm"]
    report = (tmp_path / "gpu_check.md").read_text()
    assert "## selective scan" in report


@needs_triton
def test_what_the_budget_leaves_no_time_for_is_listed(tmp_path):
    found = _run(tmp_path, 1)
    assert found["tables"] == {}
    assert any("directional_scan triton" in item for item in found["left out"])
    assert "## left out\n\n- errors:" in (tmp_path / "gpu_check.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "out"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.startswith("there is no CUDA device here; --device cpu")
    assert not (tmp_path / "out").exists()
