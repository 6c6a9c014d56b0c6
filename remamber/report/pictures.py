"""PNG pictures of the figures, made by kaleido in a browser of its own where one is found.

A child process holds the browser and kaleido's event loop, so that a browser that hangs or dies
costs the report its pictures and nothing else. This module is the child's program, too, and the
one place that imports kaleido, which is optional.
"""

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remamber.record.files import write_whole
from remamber.report.document import Picture

BROWSERS = (
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chromium",
    "chromium-browser",
    "microsoft-edge",
)
BROWSER_VARIABLES = ("BROWSER_PATH", "CHROME_PATH")
_WIDTH = 900
_SCALE = 2
_TIMEOUT_S = 60

_log = logging.getLogger(__name__)


def find_browser() -> str | None:
    """Path of a Chrome or Chromium: the variables BROWSER_PATH and CHROME_PATH, then PATH."""
    named = [os.environ.get(name) for name in BROWSER_VARIABLES]
    return next(
        (found for name in (*named, *BROWSERS) if name and (found := shutil.which(name))), None
    )


def why_no_pictures() -> str | None:
    """What is missing for PNG pictures, None if nothing is."""
    if importlib.util.find_spec("kaleido") is None:
        return "the extra 'png' (kaleido) is not installed"
    return None if find_browser() else "no Chrome or Chromium was found"


def write_pictures(pictures: Sequence[Picture], folder: Path) -> dict[str, Path]:
    """Write every figure as ``<slug>.png``; the browser starts once for all.

    Returns:
        Slug -> path of those that were written: all of them, or none with a warning in the log.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    missing = why_no_pictures()
    if missing or not pictures:
        _log.info("no PNG figures: %s", missing or "the analysis names none")
        return {}
    with tempfile.TemporaryDirectory(prefix="remamber-figures-") as temporary:
        jobs = [_job(picture, Path(temporary)) for picture in pictures]
        if not _in_a_child(jobs):
            return {}
        made = {p.slug: Path(temporary, f"{p.slug}.png").read_bytes() for p in pictures}
    for slug, content in made.items():
        write_whole(folder / f"{slug}.png", content)
    return {slug: folder / f"{slug}.png" for slug in made}


def _job(picture: Picture, folder: Path) -> dict[str, Any]:
    height = picture.plotly["layout"]["height"]
    return {
        "fig": picture.plotly,
        "path": str(folder / f"{picture.slug}.png"),
        "opts": {"format": "png", "width": _WIDTH, "height": height, "scale": _SCALE},
    }


def _in_a_child(jobs: Sequence[dict[str, Any]]) -> bool:
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__, str(find_browser())],
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        _log.warning("no PNG figures: the browser did not answer in %d s", _TIMEOUT_S)
        return False
    if child.returncode != 0 or not all(Path(job["path"]).is_file() for job in jobs):
        said = child.stderr.strip().splitlines()
        _log.warning("no PNG figures: %s", said[-1] if said else "the browser failed")
        return False
    return True


def _write_all(browser: str) -> int:
    """The child: figures come as JSON on standard input, pictures go to their paths."""
    import kaleido

    jobs = json.load(sys.stdin)
    # Without these two, kaleido's page would ask the network for MathJax and plotly.js.
    options = {"path": browser, "mathjax": False, "n": 1, "timeout": _TIMEOUT_S / 2}
    errors = kaleido.write_fig_from_object_sync(jobs, kopts=options)
    if errors:
        sys.stderr.write(f"{errors[0]}\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(_write_all(sys.argv[1]))
