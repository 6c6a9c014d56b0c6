"""``attention`` on a really trained run: measured, reported, and what has no maps."""

import json

import pytest
from evaluation_run import asked
from tiny_run import tiny_spec

from remamber.cli import main
from remamber.errors import ExitCode
from remamber.plan.spec import FusionSpec, ModelSpec
from remamber.plan.study import StudyRuns
from remamber.record.store import Store
from remamber.runner import Interruption, execute


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data root and a store in which ``ablate fusion`` has left two rows."""
    root, place = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("store")
    twister, store = tiny_spec(root, steps=2), Store(place)
    other = twister.model_copy(update={"model": ModelSpec(fusion=FusionSpec(name="in-context"))})
    for spec in (twister, other):
        ended = execute(asked(spec, place, root), lambda event: None, Interruption())
        assert ended is ExitCode.DONE
    rows = {twister.run_id: "twister", other.run_id: "in-context"}
    runs = StudyRuns(
        study="fusion",
        profile="quick",
        run_ids=tuple(rows),
        rows=rows,
        datasets=dict.fromkeys(rows, "refcoco"),
        status="finished",
    )
    store.write_study_runs(runs)
    return root, store


@pytest.fixture
def attention(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root, store = trained

    def run(*words, store=store.root):
        capsys.readouterr()
        place = ("--store", str(store), "--data-root", str(root), "--profile", "quick")
        status = main(["attention", *words, *place, "--out", str(tmp_path / "reports")])
        said = capsys.readouterr()
        return int(status), said.out, said.err

    return run


@pytest.mark.slow
def test_maps_are_measured_beside_their_control_and_reported(attention, tmp_path):
    status, out, err = attention("twister", "--pictures", "2", "--json")
    assert status == 0, err
    results = json.loads(out)
    assert len(results["pictured"]) == 2
    assert [r["status"] for r in results["runs"]] == ["ok", "ok"]
    (page,) = (tmp_path / "reports").glob("attention*.md")
    text = page.read_text()
    assert "Mamba Twister, trained" in text and "Mamba Twister, untrained" in text
    again, out, _ = attention("twister", "--pictures", "2", "--json")
    assert again == 0 and json.loads(out)["tables"] == results["tables"]


def test_a_variant_without_maps_is_refused_before_anything_runs(attention, trained):
    before = {folder.name for folder in trained[1].root.iterdir()}
    status, _, err = attention("in-context")
    assert status == ExitCode.USAGE
    assert "'remamber tiny in-context' has no interaction or attention map" in err
    assert "remamber-bench attention twister attention" in err
    assert {folder.name for folder in trained[1].root.iterdir()} == before


def test_without_a_trained_run_the_command_that_makes_one_is_named(attention, tmp_path):
    status, _, err = attention(store=tmp_path / "empty")
    assert status == ExitCode.MISSING
    assert "remamber-bench ablate fusion" in err
