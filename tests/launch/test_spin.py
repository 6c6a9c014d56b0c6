import sys
import time

from remamber.launch._child import SPIN_COUNT, Child

SCRIPT = """
import os, sys
sys.stdin.read()
sys.stderr.write(os.environ["GOMP_SPINCOUNT"])
"""
SAYS = [sys.executable, "-c", SCRIPT]


def said(tmp_path):
    stderr = tmp_path / "stderr.log"
    child = Child(SAYS, request={}, stderr=stderr)
    child.process.wait()
    while not child.ended():
        time.sleep(0.01)
    return stderr.read_text()


def test_threads_of_a_run_do_not_wait_awake_for_long(tmp_path, monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert said(tmp_path) == SPIN_COUNT


def test_a_users_own_setting_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert said(tmp_path) == "7"
