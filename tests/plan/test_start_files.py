import pytest

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import ModelSpec, RunSpec, StartSpec
from remamber.plan.start_files import planned_start_file, with_start_fingerprint

START = StartSpec(name="vmamba.pth")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vmamba.pth").write_bytes(b"abc")
    return tmp_path


def test_the_fingerprint_is_that_of_the_files_content(root):
    assert with_start_fingerprint(START, root).fingerprint.startswith("ba7816bf8f01cfea")
    assert with_start_fingerprint(None, root) is None


def test_a_changed_file_is_refused(root):
    planned = with_start_fingerprint(START, root)
    assert planned_start_file(planned, root).read_bytes() == b"abc"
    (root / "weights" / "vmamba.pth").write_bytes(b"abd")
    with pytest.raises(UserError, match="not those that this run was planned with") as caught:
        planned_start_file(planned, root)
    assert caught.value.exit_code == ExitCode.DAMAGED


@pytest.mark.parametrize("given", [True, False])
def test_a_missing_file_says_where_to_put_it(tmp_path, given):
    with pytest.raises(UserError, match=r"vmamba\.pth") as caught:
        with_start_fingerprint(START, tmp_path if given else None)
    assert caught.value.exit_code == ExitCode.MISSING
    assert ("--data-root DIR" in caught.value.fix) != given


@pytest.mark.parametrize("name", ["../secret", "a/b", ".hidden", ""])
def test_a_name_is_no_path(name):
    with pytest.raises(ValueError, match="name"):
        StartSpec(name=name)


def test_a_run_that_starts_from_nothing_keeps_its_hash():
    plain = RunSpec(model=ModelSpec())
    assert '"start"' not in plain.canonical()
    one = RunSpec(model=ModelSpec(start=START))
    two = RunSpec(model=ModelSpec(start=START.model_copy(update={"fingerprint": "x"})))
    assert len({plain.digest, one.digest, two.digest}) == 3
