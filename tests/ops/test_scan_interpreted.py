"""The contract tests once more, on Triton kernels that run on the CPU under its interpreter.

In a process of its own, because Triton reads TRITON_INTERPRET when it is imported.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SETTINGS = {"TRITON_INTERPRET": "1", "REMAMBER_SCAN_BACKENDS": "triton"}


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed: pip install triton"
)
@pytest.mark.parametrize(
    ("op", "least"), [("selective_scan or scan_contract", 25), ("directional_scan", 18)]
)
def test_interpreted_triton_kernels_keep_the_contract(op, least):
    files = [str(path) for path in sorted(HERE.glob("test_scan_*.py")) if path != Path(__file__)]
    # numpy, which plays the kernels, warns of every NaN and overflow that the tests are about.
    options = [
        "-W",
        "ignore::RuntimeWarning",
        "-q",
        "-m",
        "interpreted",
        "-k",
        op,
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=ROOT,
        env=os.environ | SETTINGS,
        capture_output=True,
        text=True,
        timeout=420,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    counts = dict(reversed(pair) for pair in re.findall(r"(\d+) (passed|skipped)", run.stdout))
    assert int(counts["passed"]) >= least
    assert "skipped" not in counts, run.stdout[-2000:]
