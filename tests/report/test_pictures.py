import logging

import pytest

from remamber.report import pictures
from remamber.report.document import Picture
from remamber.report.pictures import find_browser, why_no_pictures, write_pictures

PICTURE = Picture(
    slug="1-line",
    title="A line",
    alt="A line rises.",
    plotly={"data": [{"type": "scatter", "x": [1, 2], "y": [1, 2]}], "layout": {"height": 200}},
)
NEEDED = pytest.mark.skipif(
    why_no_pictures() is not None, reason=f"no PNG here: {why_no_pictures()}"
)


@NEEDED
def test_figures_become_pngs(tmp_path):
    made = write_pictures([PICTURE], tmp_path)
    assert made == {"1-line": tmp_path / "1-line.png"}
    assert made["1-line"].read_bytes().startswith(b"\x89PNG")


def test_a_browser_is_found_by_its_variable(tmp_path, monkeypatch):
    browser = tmp_path / "my-chrome"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    monkeypatch.setenv("CHROME_PATH", str(browser))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    assert find_browser() == str(browser)


def test_without_a_browser_nothing_is_started_or_written(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in pictures.BROWSER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pictures.subprocess, "run", pytest.fail)
    assert write_pictures([PICTURE], tmp_path / "figs") == {}
    assert not (tmp_path / "figs").exists()


@NEEDED
def test_a_browser_that_fails_costs_the_pictures_and_not_the_report(tmp_path, monkeypatch, caplog):
    broken = tmp_path / "broken-chrome"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(broken))
    with caplog.at_level(logging.WARNING):
        assert write_pictures([PICTURE], tmp_path / "figs") == {}
    assert "no PNG figures" in caplog.text
