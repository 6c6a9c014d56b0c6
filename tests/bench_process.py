"""The program in a process of its own, with the fake runner or the real one behind it."""

import os
import subprocess
import sys
from pathlib import Path

_CODE = """
import sys
import remamber.launch
import remamber.report.pictures
from fake_runner import RUNNER
from remamber.cli import main
if {fake}:
    remamber.launch.RUNNER = RUNNER
remamber.report.pictures.find_browser = lambda: None
sys.exit(main())
"""


def start_bench(*arguments: str, cwd: Path, words: str = "", fake: bool = True, **environment: str):
    """A running ``remamber-bench``; ``words`` say what the fake runs do."""
    here = str(Path(__file__).parent)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REMAMBER_BENCH_")}
    kept |= {"PYTHONPATH": here, "FAKE_RUNNER": words, **environment}
    return subprocess.Popen(
        [sys.executable, "-c", _CODE.format(fake=fake), *arguments],
        cwd=cwd,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
