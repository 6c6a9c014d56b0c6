import multiprocessing
import os
import subprocess
import sys
import time

import pytest
import torch
from scan_cases import scan_arguments, scan_with_gradients

from remamber.errors import UserError
from remamber.ops import cpu, describe_backends, resolve_backend, selective_scan

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
    kernels = cpu._kernels()
    spy = kernels.team._replace(
        parallel=lambda kernel, table, count, flags: (teams.append(count), kernel(table))
    )
    monkeypatch.setattr(cpu, "_kernels", lambda: kernels._replace(team=spy))
    for length in (4, 1000):
        values = scan_arguments(2, 256, length, 1, 4, dtype=torch.float32)
        selective_scan(**values, backend="cpu")
    assert teams == [4]


def test_no_array_of_states_by_steps_is_allocated():
    values = scan_arguments(1, 16, 4096, 16, 1, dtype=torch.float32)
    with torch.profiler.profile(profile_memory=True) as profile:
        selective_scan(**values, backend="cpu")
    allocated = sum(max(0, event.self_cpu_memory_usage) for event in profile.key_averages())
    assert 0 < allocated < 4 * 16 * 4096 * 16 / 4


def test_auto_takes_the_fastest_that_computes_the_dtype():
    assert resolve_backend("auto", "cpu") == "cpu"
    assert resolve_backend("auto", "cpu", dtype=torch.float64) == "reference"
    assert resolve_backend("auto", "cuda") == "reference"
    assert {b.name: b.available for b in describe_backends()} == {"cpu": True, "reference": True}


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


@pytest.mark.slow
def test_compiled_code_is_cached_between_processes(tmp_path):
    program = "from remamber.ops import describe_backends as d; assert d()[0].available"
    times = []
    for _ in range(2):
        start = time.perf_counter()
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=300)
        times.append(time.perf_counter() - start)
    assert list(tmp_path.rglob("*.nbc"))
    assert times[1] < 0.6 * times[0]


def test_an_unwritable_cache_folder_is_done_without(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folder = cpu._cache_folder(str(tmp_path / "file"))
    assert folder.is_dir()
    assert os.access(folder, os.W_OK)
