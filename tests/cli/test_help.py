"""Help: quick, narrow, without torch, the usual options first."""

import os
import re
import statistics
import subprocess
import sys
import time

import pytest

COMMANDS = [
    "",
    "ablate",
    "evaluate",
    "speed",
    "flops",
    "pca",
    "attention",
    "masks",
    "compare",
    "power",
    "claims",
    "report",
    "data",
    "data list",
    "data check",
    "data convert",
    "data synth",
    "weights",
    "new",
    "list",
    "doctor",
]
HEAVY = ("torch", "transformers", "numba", "numpy", "pandas", "plotly", "scipy")


def help_of(command: str, *, width: int = 80) -> str:
    environment = os.environ | {"COLUMNS": str(width), "TERMINAL_WIDTH": str(width)}
    arguments = [*command.split(), "--help"]
    done = subprocess.run(
        [sys.executable, "-m", "remamber", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_has_examples_and_every_exit_code(command):
    text = help_of(command)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    if command:
        assert text.count(f"remamber-bench {command}") >= 4, "usage and three examples"
        codes = text.partition("Exit codes:")[2]
        assert all(re.search(rf"\b{code} \w", codes) for code in (0, 2, 3, 4, 6, 70, 130))
    else:
        assert "Start here:" in text
        listed = re.findall(r"^│ (\w+) ", text.partition("Commands")[2], re.M)
        assert listed == [name for name in COMMANDS[1:] if " " not in name]


def test_the_first_panel_of_ablate_has_at_most_six_options():
    panel = help_of("ablate", width=120).partition("Workload")[2].partition("╰")[0]
    assert 1 <= len(re.findall(r"^│ --", panel, re.M)) <= 6


def loaded_by(code: str) -> str:
    check = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    check += f"print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_heavy(command):
    arguments = [*command.split(), "--help"]
    assert loaded_by(f"from remamber.cli import main; main({arguments})") == "[]"


def test_the_check_for_heavy_imports_can_fail():
    assert loaded_by("import numpy") == "['numpy']"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_comes_within_half_a_second(command):
    """Measured against a bare interpreter, which a busy machine slows down as well."""

    def seconds(*arguments: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return time.perf_counter() - begin

    pairs = [
        (seconds("-m", "remamber", *command.split(), "--help"), seconds("-c", "pass"))
        for _ in range(5)
    ]
    bare = statistics.median(b for _, b in pairs)
    ours = min(a for a, _ in pairs)
    # On an idle machine a bare interpreter takes 15 ms.
    assert ours < 0.5 * max(1.0, bare / 0.015)
