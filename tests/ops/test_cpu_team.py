import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numba
import pytest

from remamber.ops import _cpu_table, _cpu_team


def test_an_unwritable_cache_folder_is_done_without(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert _cpu_team.cache_folder(str(tmp_path / "file")) is None


def _kernel_without_work(table):
    pass


@pytest.mark.parametrize("broken", ["save", "load"])
def test_a_cache_that_fails_is_compiled_without(broken, monkeypatch, tmp_path):
    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, broken, fail)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    compiled = _cpu_team._compiled(_kernel_without_work, _cpu_table.SIGNATURE, cached=True)
    assert compiled.address


def test_threads_that_compile_at_once_leave_numbas_cache_folder_alone(monkeypatch, tmp_path):
    seen, compile_anew = [], _cpu_team.compile_kernels.__wrapped__

    def compiled(function, signature, *, cached):
        seen.append(numba.config.CACHE_DIR)
        time.sleep(0.05)
        return SimpleNamespace(address=1)

    monkeypatch.setattr(_cpu_team, "_compiled", compiled)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        calls = [("remamber.ops._cpu_forward", "team_forward")] * 4
        list(pool.map(lambda call: compile_anew(*call), calls))
    assert set(seen) == {str(_cpu_team.cache_folder(str(tmp_path)))}
    assert str(tmp_path) == numba.config.CACHE_DIR


_FIRST_SCAN_IN_A_CHILD = """
import os, signal, sys
import numpy, torch
{before}
torch.set_num_threads(4)
torch.ones(1 << 20).sin()
child = os.fork()
if child == 0:
    signal.alarm(60)
    {after}
    sizes = ((1, 64, 2048), (1, 64, 2048), (64, 1), (1, 1, 1, 2048), (1, 1, 1, 2048))
    values = [torch.from_numpy(numpy.ones(s, numpy.float32)) for s in sizes]
    torch.ops.remamber.selective_scan(*values, None, None, False, "cpu")
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(
    "imported",
    [
        "before",
        pytest.param(
            "after",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a fork"),
        ),
    ],
)
def test_a_child_forked_before_the_first_scan_does_not_wait_for_the_parents_threads(imported):
    places = {"before": "", "after": ""} | {imported: "import remamber.ops"}
    code = _FIRST_SCAN_IN_A_CHILD.format(**places)
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, check=True, timeout=120)
