"""Settings: command line over environment over file over default, and where each came from."""

from pathlib import Path

import pytest

from remamber.cli._settings import resolve
from remamber.errors import UserError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("STORE", "OUT", "DATA_ROOT", "THREADS"):
        monkeypatch.delenv(f"REMAMBER_BENCH_{name}", raising=False)


def test_each_source_gives_way_to_the_next(tmp_path, monkeypatch):
    file = tmp_path / "remamber-bench.toml"
    file.write_text('store = "/from/file"\nout = "/from/file"\nthreads = 3\n')
    monkeypatch.setenv("REMAMBER_BENCH_OUT", "/from/environment")
    monkeypatch.setenv("REMAMBER_BENCH_THREADS", "5")
    settings, origins = resolve({"threads": 7, "store": None}, folder=tmp_path)
    assert settings.store == Path("/from/file") and origins["store"] == str(file)
    assert settings.out == Path("/from/environment")
    assert origins["out"] == "REMAMBER_BENCH_OUT"
    assert settings.threads == 7 and origins["threads"] == "the command line"
    assert settings.data_root is None and origins["data_root"] == "default"


def test_an_unknown_key_is_an_error_with_the_nearest(tmp_path):
    (tmp_path / "remamber-bench.toml").write_text('stoer = "x"\n')
    with pytest.raises(UserError, match=r"remamber-bench.toml: unknown key 'stoer'") as caught:
        resolve({}, folder=tmp_path)
    assert "'store'" in caught.value.fix[0]


def test_a_bad_value_names_its_source(monkeypatch, tmp_path):
    monkeypatch.setenv("REMAMBER_BENCH_THREADS", "many")
    with pytest.raises(UserError, match="REMAMBER_BENCH_THREADS: threads"):
        resolve({}, folder=tmp_path)


def test_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve({"out": Path("here")}).settings.out == tmp_path / "here"
