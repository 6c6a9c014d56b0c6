"""Streams: stdout carries one result, stderr the rest; JSON parses, errors included."""

import json
import os
import re
from pathlib import Path

import pytest
from bench_process import start_bench

ESCAPE = re.compile(r"\x1b\[")


@pytest.fixture
def few(scans):
    def run(*arguments: str, words: str = ""):
        return scans("--only", "channel", "--only", "spatial", *arguments, words=words)

    return run


def test_json_is_one_document_while_progress_runs(few):
    said = few("--json", "--display", "plain")
    document = json.loads(said.out)
    assert said.status == 0 and "schema_version" in document
    assert "[1/3 channel]" in said.err


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR"])
def test_colour_is_forced_or_forbidden_by_the_environment(tmp_path, data_root, variable):
    place = ("--data", "refcoco", "--data-root", str(data_root), "--profile", "quick")
    arguments = ("ablate", "scans", *place, "--only", "channel", "--only", "spatial")
    process = start_bench(*arguments, cwd=tmp_path, **{variable: "1"})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert bool(ESCAPE.search(out)) is (variable == "FORCE_COLOR")
    assert variable == "FORCE_COLOR" or not ESCAPE.search(err)


def test_a_rich_display_leaves_stdout_alone_and_ends_with_every_row(few):
    said = few("--display", "rich", "--json", words="spatial=error")
    json.loads(said.out)
    assert said.status == 4
    assert re.search(r"ok\s+channel\s+mIoU 38\.2", said.err)
    assert re.search(r"failed\s+spatial\s+it broke", said.err)


def test_display_none_says_the_plan_and_nothing_of_the_runs(few):
    said = few("--display", "none")
    assert "0 of 2 runs reused" in said.err and "[1/3" not in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "slug"),
    [
        (["ablate", "scan", "--json"], 2, "unknown_study"),
        (["ablate", "scans", "--foo", "--json"], 2, "usage"),
        (["report", "scans", "--json"], 3, "no_runs"),
        (["list", "nothing", "--json"], 2, "unknown_list"),
    ],
)
def test_an_error_is_a_json_document_with_the_exit_code(bench, arguments, code, slug):
    said = bench(*arguments)
    error = json.loads(said.out)["error"]
    assert said.status == code == error["exit_code"]
    assert error["code"] == slug and error["message"] and error["hint"]
    assert said.err == ""


def test_an_internal_error_is_exit_70_with_its_traceback_in_a_file(bench, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("the cat walked over it")

    monkeypatch.setattr("remamber.plan.study.study_names", broken)
    said = bench("list", "studies")
    assert said.status == 70
    assert "error: internal error: RuntimeError: the cat walked over it" in said.err
    assert "Traceback" not in said.err
    path = re.search(r"traceback is in (\S+)", said.err)[1]
    assert "the cat walked over it" in Path(path).read_text()
    assert "Traceback" in bench("list", "studies", "--debug").err


def test_a_full_disk_is_one_sentence_and_exit_3(few, monkeypatch):
    few()
    sync = os.fsync

    def full(descriptor: int) -> None:
        if "reports" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    said = few()
    assert said.status == 3
    assert "error: no space left on the disk while writing" in said.err
    assert "run the same command again" in said.err
