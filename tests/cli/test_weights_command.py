"""``weights check`` and ``weights convert``; the files are made by tests/models's helpers."""

import argparse
import json
import os

import pytest
import torch

from remamber.models._release import ReleasedReMamber
from remamber.models._release_keys import released_key
from remamber.models._sizes import SIZES, ReleaseShape


@pytest.fixture
def released(tmp_path):
    shape = ReleaseShape(SIZES["tiny"]._replace(text_width=16), "conv", 2, 6)
    state = {released_key(k): v for k, v in ReleasedReMamber(shape).state_dict().items()}
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": state, "epoch": 3, "args": argparse.Namespace(lr=1)}, path)
    return path


def test_check_says_what_fits(bench, released):
    said = bench("weights", "check", str(released))
    assert said.status == 0
    rows = dict(line.split(maxsplit=1) for line in said.out.splitlines())
    assert rows["holds"] == "ReMamber, conv decoder, size tiny, without a text tower"
    assert rows["beside"] == "not read: epoch, args"
    assert rows["inert"] == "not executed: argparse.Namespace"
    assert rows["verdict"].startswith("fits ")


def test_convert_writes_what_check_accepts(bench, released, tmp_path):
    out = tmp_path / "out.safetensors"
    said = bench("weights", "convert", str(released), "--out", str(out), "--json")
    assert said.status == 0 and json.loads(said.out)["written"] == str(out)
    document = json.loads(bench("weights", "check", str(out), "--json").out)
    assert document["fits"] and document["kind"] == "ours"
    assert document["model"]["used"] == document["tensors"]


def test_check_of_what_does_not_fit_is_exit_code_6(bench, released, tmp_path):
    content = torch.load(released, weights_only=False)
    del content["model"]["decoder.neck.8.bias"]
    torch.save(content, released)
    said = bench("weights", "check", str(released))
    assert said.status == 6
    assert "missing     decoder.neck.8.bias" in said.out and "does not fit" in said.out
    said = bench("weights", "convert", str(released), "--out", str(tmp_path / "x.safetensors"))
    assert said.status == 6 and "decoder.neck.8.bias" in said.err
    assert not (tmp_path / "x.safetensors").exists()


def test_a_hostile_file_is_exit_code_6_and_nothing_of_it_runs(bench, tmp_path):
    class Calls:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'marker'}",)

    torch.save({"model": {"a": torch.ones(1)}, "args": Calls()}, tmp_path / "bad.pth")
    said = bench("weights", "check", str(tmp_path / "bad.pth"))
    assert said.status == 6 and "is refused" in said.err and "system" in said.err
    assert not (tmp_path / "marker").exists()


def test_a_missing_file_is_exit_code_3(bench):
    assert bench("weights", "check", "nothing.pth").status == 3


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (("convert", "x.pth"), "--out x.safetensors"),
        (("chek", "x.pth"), "did you mean 'check'?"),
    ],
)
def test_a_wrong_command_line_is_mended(bench, arguments, fix):
    said = bench("weights", *arguments)
    assert said.status == 2 and fix in said.err


def test_an_out_that_cannot_be_written_is_said(bench, released, tmp_path):
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / "out.safetensors"
    said = bench("weights", "convert", str(released), "--out", str(out))
    assert said.status == 2 and f"cannot write {out}" in said.err


def test_names_in_a_file_cannot_steer_the_terminal(bench, released):
    content = torch.load(released, weights_only=False)
    content["model"]["decoder.\x1b[2Jx\nverdict   fits"] = torch.ones(1)
    content["\x1b]0;title\x07"] = 1
    torch.save(content, released)
    said = bench("weights", "check", str(released))
    assert said.status == 6 and "\x1b" not in said.out and r"decoder.\x1b[2Jx\nverdict" in said.out
    torch.save({"\x1b[2Jx": torch.ones(1)}, released)
    assert r"\x1b[2Jx" in bench("weights", "check", str(released)).err
