import itertools
import mmap
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from scan_cases import relative_error, scan_arguments, scan_with_gradients

from remamber.errors import UserError
from remamber.ops import (
    _cpu_memory,
    _cpu_team,
    cpu,
    describe_backends,
    resolve_backend,
    selective_scan,
)
from remamber.ops._contract import ScanInputs
from remamber.ops.backends import probe_backend

LARGE = (2, 256, 300, 1, 4)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _results(sizes=LARGE):
    values = scan_arguments(*sizes, dtype=torch.float32)
    return scan_with_gradients(values, backend="cpu", dtype=torch.float32)


def test_the_number_of_threads_does_not_change_a_bit(threads):
    results = []
    for count in (1, 2, 3, 4):
        threads(count)
        results.append(_results())
    for other in results[1:]:
        assert all(torch.equal(results[0][name], other[name]) for name in other)


def _operator(values):
    """The operator alone: torch's own parallel loops would hang in a forked child."""
    y, states = torch.ops.remamber.selective_scan(*values, True, "cpu")
    backward = torch.ops.remamber.selective_scan_backward
    return [y, states, *backward(y, None, states, *values, True, "cpu")]


def _in_child(values, queue):
    queue.put([value.numpy() for value in _operator(values)])


def test_a_forked_child_of_a_threaded_parent_scans_to_the_same_bits(threads):
    threads(4)
    values = list(scan_arguments(*LARGE, dtype=torch.float32).values())
    expected = _operator(values)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(values, queue), daemon=True)
    child.start()
    found = queue.get(timeout=60)
    child.join(timeout=10)
    assert all(torch.equal(torch.from_numpy(f), e) for f, e in zip(found, expected, strict=True))


def test_only_large_scans_wake_other_threads(monkeypatch, threads):
    threads(4)
    teams = []
    team = _cpu_team.torch_team()
    spy = team._replace(
        parallel=lambda kernel, table, count, flags: (teams.append(count), kernel(table))
    )
    monkeypatch.setattr(_cpu_team, "torch_team", lambda: spy)
    for length in (4, 1000):
        values = scan_arguments(2, 256, length, 1, 4, dtype=torch.float32)
        selective_scan(**values, backend="cpu")
    assert teams == [4]


def _allocated(work):
    with torch.profiler.profile(profile_memory=True) as profile:
        work()
    return sum(max(0, event.self_cpu_memory_usage) for event in profile.key_averages())


def test_no_array_of_states_by_steps_is_allocated():
    values = scan_arguments(1, 16, 4096, 16, 1, dtype=torch.float32)
    whole = 4 * 16 * 4096 * 16
    assert 0 < _allocated(lambda: selective_scan(**values, backend="cpu")) < whole / 4
    leaves = [v.requires_grad_() for v in values.values()]
    y, states = torch.ops.remamber.selective_scan(*leaves, True, "cpu")
    with torch.no_grad():
        arguments = (torch.ones_like(y), None, states, *values.values(), True, "cpu")
        backward = torch.ops.remamber.selective_scan_backward
        assert 0 < _allocated(lambda: backward(*arguments)) < whole / 2


@pytest.mark.parametrize("channels", [4, 64, 80, 132, 1044])
def test_every_channel_is_in_one_task_and_no_task_is_empty(channels):
    for b, g in itertools.product((1, 3, 40), (1, 2, 4)):
        values = scan_arguments(b, channels, 1, 1, g, dtype=torch.float32)
        blocks = cpu._blocks(ScanInputs(**values, delta_softplus=True))
        units = -(-channels // (g * cpu.LANES))
        share = -(-units // blocks)
        assert (blocks - 1) * share < units <= blocks * share
        assert b * g * blocks <= max(32 + b * g, b * g)


@pytest.mark.parametrize("sizes", [(1, 20, 5, 1, 1), (2, 64, 131, 2, 2), (1, 36, 18, 3, 2)])
def test_gradients_of_every_stored_state_are_followed(sizes):
    values = scan_arguments(*sizes)
    results = {}
    for backend, dtype in (("reference", torch.float64), ("cpu", torch.float32)):
        arguments = [v.to(dtype) for v in values.values()]
        y, states = torch.ops.remamber.selective_scan(*arguments, True, backend)
        dy, dstates = torch.linspace(-1, 1, y.numel()), torch.linspace(1, 2, states.numel())
        given = (dy.view(y.shape).to(dtype), dstates.view(states.shape).to(dtype), states)
        backward = torch.ops.remamber.selective_scan_backward
        results[backend] = backward(*given, *arguments, True, backend)
    for found, expected in zip(results["cpu"], results["reference"], strict=True):
        assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize("left_out", ["D", "delta_bias"])
def test_infinite_input_without_skip_or_bias_gives_what_the_reference_gives(left_out):
    values = scan_arguments(1, 20, 40, 1, 1, dtype=torch.float32) | {left_out: None}
    values["u"][0, 3, 7] = float("inf")
    found, expected = (
        selective_scan(**values, delta_softplus=True, backend=backend)
        for backend in ("cpu", "reference")
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_an_infinite_decay_leaves_the_last_state_what_it_is():
    values = scan_arguments(1, 16, 5, 1, 1, dtype=torch.float32)
    values["A"][3] = float("-inf")
    found, expected = (
        torch.ops.remamber.selective_scan(*values.values(), True, backend)[1]
        for backend in ("cpu", "reference")
    )
    assert expected.isfinite().all()
    torch.testing.assert_close(found, expected)


def test_large_results_are_asked_for_in_huge_pages(monkeypatch):
    asked = []
    monkeypatch.setattr(_cpu_memory, "_advice", lambda: lambda *range_: asked.append(range_))
    small, large = (_cpu_memory.empty(torch.zeros(1), size) for size in (1 << 10, 1 << 22))
    (found,) = asked
    start, length, _ = found
    assert start % mmap.PAGESIZE == length % mmap.PAGESIZE == 0
    assert large.data_ptr() <= start and start + length <= large.data_ptr() + large.nbytes
    assert (small.shape, large.shape, large.dtype) == ((1 << 10,), (1 << 22,), torch.float32)


def test_auto_takes_the_fastest_that_computes_the_dtype():
    assert resolve_backend("auto", "cpu") == "cpu"
    assert resolve_backend("auto", "cpu", dtype=torch.float64) == "reference"
    available = {b.name: b.available for b in describe_backends()}
    assert available["cpu"] and available["reference"]


def test_an_unknown_backend_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="no scan backend is called 'referense'") as error:
        selective_scan(**scan_arguments(1, 1, 1, 1, 1), backend="referense")
    assert error.value.fix == ("--scan-backend reference",)


def test_float64_on_the_cpu_backend_is_refused():
    with pytest.raises(UserError, match=r"does not compute torch.float64 on cpu"):
        selective_scan(**scan_arguments(1, 1, 1, 1, 1), backend="cpu")


def test_where_numba_cannot_compile_auto_takes_the_reference(monkeypatch):
    def broken():
        raise RuntimeError("no such target")

    monkeypatch.setattr(cpu, "_kernels", broken)
    found = cpu.probe()
    assert not found.available
    assert "no such target" in found.detail
    probe_backend.cache_clear()
    try:
        assert resolve_backend("auto", "cpu") == "reference"
        with pytest.raises(UserError, match="'cpu' cannot run here: .*no such target"):
            resolve_backend("cpu", "cpu")
    finally:
        probe_backend.cache_clear()


@pytest.mark.slow
def test_compiled_code_is_cached_between_processes(tmp_path):
    program = "from remamber.ops.backends import probe_backend as p; assert p('cpu').available"
    times = []
    for _ in range(2):
        start = time.perf_counter()
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=300)
        times.append(time.perf_counter() - start)
    assert list(tmp_path.rglob("*.nbc"))
    assert times[1] < 0.6 * times[0]


_WITHOUT_AVX = """
from scan_cases import relative_error, scan_arguments
from remamber.ops import selective_scan
values = scan_arguments(1, 36, 150, 2, 2)
exact = selective_scan(**values, delta_softplus=True, backend="reference")
single = {name: v.float() for name, v in values.items()}
assert relative_error(selective_scan(**single, delta_softplus=True, backend="cpu"), exact) < 1e-6
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names another processor of x86-64")
def test_a_processor_without_avx_runs_the_same_kernels(tmp_path):
    plain = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment = os.environ | plain | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", _WITHOUT_AVX]
    subprocess.run(command, env=environment, check=True, timeout=300)
