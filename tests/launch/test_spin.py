import sys

from remamber.launch._child import SPIN_COUNT, Child

SAYS = [sys.executable, "-c", "import os, sys; sys.stderr.write(os.environ['GOMP_SPINCOUNT'])"]


def said(tmp_path):
    stderr = tmp_path / "stderr.log"
    Child(SAYS, request={}, stderr=stderr).process.wait()
    return stderr.read_text()


def test_threads_of_a_run_do_not_wait_awake_for_long(tmp_path, monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert said(tmp_path) == SPIN_COUNT


def test_a_users_own_setting_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert said(tmp_path) == "7"
