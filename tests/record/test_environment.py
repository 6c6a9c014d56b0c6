"""What a record says of its machine: versions, processor, commit; no secrets, no torch."""

import subprocess
import sys

import pytest

from remamber.record.environment import code_checkout, environment


def git(root, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "remamber").mkdir()
    (tmp_path / "remamber" / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_checkout_gives_its_commit(checkout):
    commit, dirty = code_checkout(checkout)
    assert commit is not None and len(commit) == 40
    assert dirty is False


@pytest.mark.parametrize(
    ("path", "dirty"),
    [("remamber/code.py", True), ("remamber/new.py", True), ("reports.md", False)],
)
def test_changed_code_is_dirty_and_a_changed_report_is_not(checkout, path, dirty):
    (checkout / path).write_text("x = 2\n")
    assert code_checkout(checkout).dirty is dirty


def test_an_installed_wheel_has_no_commit(tmp_path):
    assert code_checkout(tmp_path) == (None, None)


def test_the_environment_holds_versions_and_no_environment_variables(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    found = environment(device="cpu", threads=3, scan_backend="cpu", details={"note": "x"})
    assert found.packages["torch"] and found.packages["remamber-bench"]
    assert (found.threads, found.device, found.details) == (3, "cpu", {"note": "x"})
    assert found.cores >= 1 and found.memory_bytes > 2**28 and found.cpu
    assert "hunter2" not in found.model_dump_json()


def test_reading_the_environment_does_not_import_torch():
    code = (
        "import sys; from remamber.record.environment import environment;"
        "environment(device='cpu', threads=1, scan_backend='cpu');"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
