from pathlib import Path
from typing import NamedTuple

import pytest
from fake_runner import RUNNER
from small_refcoco import write_small_refcoco

import remamber.launch
import remamber.report.pictures
from remamber.cli import main


class Said(NamedTuple):
    """What a command left: exit status and both streams."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    return write_small_refcoco(tmp_path_factory.mktemp("data")).root


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """Run a command in this process, in an empty folder, with a runner without a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remamber.launch, "RUNNER", RUNNER)
    monkeypatch.setattr(remamber.report.pictures, "find_browser", lambda: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("STORE", "OUT", "DATA_ROOT", "THREADS"):
        monkeypatch.delenv(f"REMAMBER_BENCH_{name}", raising=False)

    def run(*arguments: str, words: str = "") -> Said:
        monkeypatch.setenv("FAKE_RUNNER", words)
        capsys.readouterr()
        status = main(arguments)
        said = capsys.readouterr()
        return Said(int(status), said.out, said.err)

    return run


@pytest.fixture
def scans(bench, data_root):
    """``ablate scans`` on a small data set in RefCOCO's layout."""

    def run(*arguments: str, words: str = "") -> Said:
        place = ("--data", "refcoco", "--data-root", str(data_root), "--profile", "quick")
        return bench("ablate", "scans", *place, *arguments, words=words)

    return run
