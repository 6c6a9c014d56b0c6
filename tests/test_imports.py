"""Reading results and asking for help load no model library; each check can fail."""

import subprocess
import sys

import pytest


def loaded_after(code, *names):
    check = f"{code}; import sys; print([n for n in {list(names)} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_check_can_fail():
    assert loaded_after("import torch", "torch", "pandas") == "['torch']"


@pytest.mark.parametrize(
    "code",
    [
        "import remamber.cli",
        "import remamber.plan.study, remamber.record.store, remamber.registry",
    ],
)
def test_command_line_and_plans_are_light(code):
    heavy = ("torch", "pandas", "plotly", "transformers", "numba", "numpy", "scipy")
    assert loaded_after(code, *heavy) == "[]"


def test_data_and_reports_need_no_torch():
    code = "import remamber.datasets.refer, remamber.datasets.synthetic, remamber.report"
    assert loaded_after(code, "torch", "transformers", "numba") == "[]"
