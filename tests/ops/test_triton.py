import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from remamber.ops import backends, triton
from remamber.ops._contract import Backend
from remamber.ops._triton_tiles import Tile, Work, backward_tile, forward_tile

HERE = Path(__file__).parent
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed: pip install triton"
)


def _run(*command, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=HERE.parents[1],
        env=os.environ | {"PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"} | environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@needs_triton
def test_interpreted_kernels_agree_with_the_reference():
    output = _run(
        *("-m", "pytest", "-q", "-W", "ignore::RuntimeWarning", "-p", "no:cacheprovider"),
        *("-p", "no:xdist", HERE / "triton_interpreted.py"),
        TRITON_INTERPRET="1",
    )
    counts = dict(reversed(pair) for pair in re.findall(r"(\d+) (passed|skipped)", output))
    assert int(counts["passed"]) >= 8
    assert "skipped" not in counts


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize(("target", "only"), [(90, "image"), (80, "sequence")])
def test_the_kernels_compile_without_a_gpu(tmp_path, target, only):
    screen = HERE / "triton_screen.py"
    options = ("--target", target, "--only", only, "--json")
    built = json.loads(_run(screen, *options, TRITON_CACHE_DIR=str(tmp_path)))
    assert len(built) == 4
    for name, found in built.items():
        assert 0 < found["registers"] <= 255
        assert name.endswith("16-state") or found["spilled"] == 0, name


@needs_triton
def test_kernels_are_not_loaded_before_they_are_asked_for():
    # torch's FLOP counter imports the package triton itself.
    program = (
        "import sys, torch, remamber.ops as ops;"
        "ops.describe_backends(); ops.selective_scan(*torch.ones(5, 1, 1, 1).unbind()[:2],"
        "*torch.ones(1, 1, 1), *torch.ones(2, 1, 1, 1));"
        "name = 'remamber.ops._triton_kernels'; print(name in sys.modules);"
        "import remamber.ops._triton_launch; print(name in sys.modules)"
    )
    assert _run("-c", program).split() == ["False", "True"]


def test_without_triton_the_probe_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    found = triton.probe()
    assert not found.available
    assert "pip install triton" in found.detail


class _Old:
    __version__ = "3.2.1"


def test_an_old_triton_is_refused_by_its_version(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", _Old)
    assert not triton.probe().available
    assert "3.2.1 is too old" in triton.probe().detail


@needs_triton
@pytest.mark.parametrize(
    ("device", "capability", "words"),
    [(False, None, "no CUDA device"), (True, (7, 0), "A card has less"), (True, (9, 0), "A card")],
)
def test_the_probe_asks_for_a_device_that_triton_compiles_for(
    monkeypatch, device, capability, words
):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A card")
    found = triton.probe()
    assert words in found.detail
    assert found.available == (capability == (9, 0))
    assert not found.by_name_only


def test_auto_passes_over_what_runs_by_name_only(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert triton.takes(torch.device("cpu"), torch.float32)
    probe = backends.probe_backend

    def interpreted(name):
        there = Backend("triton", True, "interpreted", by_name_only=True)
        return there if name == "triton" else probe(name)

    monkeypatch.setattr(backends, "probe_backend", interpreted)
    assert backends.resolve_backend("auto", "cpu") != "triton"
    assert backends.resolve_backend("triton", "cpu") == "triton"


def test_it_takes_no_doubles_and_off_the_interpreter_no_cpu(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert triton.takes(torch.device("cuda"), torch.bfloat16)
    assert not triton.takes(torch.device("cuda"), torch.float64)
    assert not triton.takes(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("image", [True, False])
@pytest.mark.parametrize("choose", [forward_tile, backward_tile])
def test_a_tile_fits_any_work(choose, image):
    for length in (1, 2, 16, 100, 225, 14400, 1_000_000):
        for channels in (1, 3, 96, 1536):
            for states in (1, 16, 100):
                tile = choose(Work(8, channels, length, states, image))
                assert all(number & (number - 1) == 0 for number in tile)
                assert tile.steps % 128 == 0 or tile.steps >= length
                assert tile.run <= tile.steps
                assert 1 <= tile.warps <= 8
                assert tile.channels * tile.steps <= 8192


def test_a_small_batch_gets_more_programs_and_a_large_one_wider():
    def programs(pairs):
        tile = forward_tile(Work(pairs, 256, 16384, 1, True))
        return tile.channels, pairs * -(-256 // tile.channels)

    assert programs(4) == (8, 128)
    assert programs(64) == (16, 1024)
    assert Tile(1, 1).stages == 1
