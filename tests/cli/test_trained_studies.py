"""``ablate`` and looking commands on the weights that earlier runs left in the store."""

import json
import sys
from pathlib import Path

import pytest
from tiny_run import request, tiny_spec

import remamber.launch
from remamber.cli._look import looking_study
from remamber.cli._settings import Settings
from remamber.cli._trained import on_other_data, trained_run
from remamber.errors import ExitCode, UserError
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import DataSpec
from remamber.plan.study import StudyRuns
from remamber.record.store import Store
from remamber.runner import Interruption, Request, execute

ORDERS = ("spatial", "parallel")
STUDY = """
title = "What is read"
paper = "Tab. 9"
[trained]
study = "scans"
[run]
task = "evaluate"
[run.data]
splits = ["val"]
[grid]
"evaluate.text" = ["as-is", "shuffled-words"]
[profiles.quick]
summary = "seconds"
bounds = false
[profiles.paper]
summary = "longer"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data root, and a store with two rows of ``scans`` that were trained on it for a step."""
    root, store = tmp_path_factory.mktemp("root"), Store(tmp_path_factory.mktemp("trained"))
    specs = {order: tiny_spec(root, steps=1, order=order) for order in ORDERS}
    for spec in specs.values():
        wanted = Request.model_validate_json(request(spec, store.root, root))
        assert execute(wanted, lambda event: None, Interruption()) is ExitCode.DONE
    store.write_study_runs(
        StudyRuns(
            study="scans",
            profile="quick",
            report="scans-refcoco",
            run_ids=tuple(spec.run_id for spec in specs.values()),
            rows={spec.run_id: order for order, spec in specs.items()},
            datasets={spec.run_id: "refcoco" for spec in specs.values()},
            status="finished",
        )
    )
    return root, store, specs


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "experiments" / "read.toml"
    path.parent.mkdir()
    path.write_text(STUDY)
    return path


@pytest.fixture
def ablate(bench, trained, study_file):
    root, store, _ = trained
    place = ("--store", str(store.root), "--data-root", str(root), "--profile", "quick")

    def run(*arguments):
        return bench("ablate", str(study_file), *place, *arguments)

    return run


def plan(said):
    assert said.status == 0, said.err
    return json.loads(said.out)


def refusal(said, status):
    assert said.status == status, said.out + said.err
    return json.loads(said.out)["error"]


def weights_of(trained, order):
    _, store, specs = trained
    return file_digest(store.folder(specs[order]) / "model.safetensors")


def test_a_study_of_weights_is_planned_on_those_that_are_in_the_store(ablate, trained):
    runs = plan(ablate("-n", "--json"))["runs"]
    assert [run["label"] for run in runs] == [
        f"{order} {text}" for order in ORDERS for text in ("as-is", "shuffled-words")
    ]
    assert [run["weights"] for run in runs] == [
        weights_of(trained, order) for order in ORDERS for _ in range(2)
    ]
    said = ablate("-n")
    assert f"weights spatial: {trained[2]['spatial'].run_id}" in said.out
    assert "expressions: val 8" in said.out


def test_emitted_commands_name_the_file_of_the_weights(ablate, trained):
    _, store, specs = trained
    said = ablate("--launcher", "emit", "--only", "parallel", "--only", "text=as-is")
    assert said.status == 0, said.err
    (command,) = said.out.splitlines()
    wanted = json.loads(Path(command.split("< ")[1].strip("'")).read_text())
    assert wanted["weights"] == str(store.folder(specs["parallel"]) / "model.safetensors")
    assert wanted["spec"]["weights"]["sha256"] == weights_of(trained, "parallel")


def test_weights_are_scored_and_reported_row_by_row_and_reused(ablate, trained, monkeypatch):
    _, store, specs = trained
    monkeypatch.setattr(remamber.launch, "RUNNER", (sys.executable, "-m", "remamber.runner"))
    only = ("--only", "spatial", "--jobs", "2", "--threads", "1")
    said = ablate(*only)
    assert said.status == 0, said.err
    assert "spatial (as-is)" in said.out
    assert "spatial (shuffled-words)" in said.out
    assert "Parameters" not in said.out, "nothing was trained: there is no cost of a training"
    folder = next(line.split()[-1] for line in said.err.splitlines() if line.startswith("json"))
    results = json.loads(Path(folder).read_text())
    assert len(results["runs"]) == 2
    lines = results["provenance"]["Runs"].values()
    assert all(f"weights of run {specs['spatial'].run_id}" in line for line in lines)
    again = plan(ablate(*only, "-n", "--json"))["runs"]
    assert [run["state"] for run in again] == ["reused", "reused"]
    as_is = next(r for r in store.records() if r.spec.task == "evaluate" and r.counts)
    assert as_is.data["weights of run"] == specs["spatial"].run_id


def test_without_trained_runs_the_command_that_makes_them_is_named(bench, study_file, trained):
    root = trained[0]
    place = ("--data-root", str(root), "--json", "-n")
    error = refusal(bench("ablate", str(study_file), "--profile", "quick", *place), 3)
    assert error["code"] == "no_trained_run"
    assert "remamber-bench ablate scans" in error["hint"]
    error = refusal(bench("ablate", str(study_file), "--profile", "paper", *place), 3)
    assert "remamber-bench ablate scans --profile paper" in error["hint"]


def test_a_row_that_was_not_trained_is_named_with_those_that_were(ablate, study_file):
    study_file.write_text(STUDY.replace('study = "scans"', 'study = "scans"\nrows = ["channel"]'))
    error = refusal(ablate("-n", "--json"), 3)
    assert "'channel'" in error["message"]
    assert "remamber-bench ablate scans" in error["hint"]


def test_weights_that_are_gone_need_a_fresh_training_in_the_same_store(ablate, study_file, trained):
    """A finished training is reused, so that without --fresh nothing would bring them back."""
    _, store, specs = trained
    study_file.write_text(STUDY.replace('study = "scans"', 'study = "scans"\nrows = ["parallel"]'))
    path = store.folder(specs["parallel"]) / "model.safetensors"
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        error = refusal(ablate("-n", "--json"), 3)
    finally:
        hidden.rename(path)
    assert f"remamber-bench ablate scans --store {store.root} --fresh" in error["hint"]
    assert str(path) in json.dumps(error)
    assert ablate("-n").status == 0


def test_a_data_set_or_seed_that_was_not_trained_on_is_said(ablate):
    error = refusal(ablate("-n", "--json", "--data", "synth-refcoco"), 3)
    assert "synth-refcoco" in error["message"]
    assert "--data synth-refcoco" in error["hint"]
    error = refusal(ablate("-n", "--json", "--seeds", "4"), 3)
    assert "--seeds 4" in error["hint"]


def test_a_misspelt_study_of_the_weights_is_no_missing_run(ablate, study_file):
    study_file.write_text(STUDY.replace('study = "scans"', 'study = "scnas"'))
    error = refusal(ablate("-n", "--json"), 2)
    assert "scans" in error["hint"]


def test_a_training_that_failed_has_left_no_weights_even_if_a_file_is_there(trained):
    _, store, specs = trained
    record = store.find(specs["spatial"])
    assert trained_run(record, store, label="spatial") is not None
    failed = record.model_copy(update={"status": "failed"})
    assert trained_run(failed, store, label="spatial") is None


def test_steps_and_budgets_are_refused_where_nothing_is_trained(ablate):
    assert "decide" in refusal(ablate("-n", "--json", "--steps", "3"), 2)["message"]
    assert "--budget" in refusal(ablate("-n", "--json", "--budget", "5m"), 2)["message"]


def test_other_data_under_the_same_name_are_told_of(trained):
    _, store, specs = trained
    record = store.find(specs["spatial"])
    run = trained_run(record, store, label="spatial")
    spec = specs["spatial"].model_copy(update={"weights": run.weights})
    assert on_other_data([spec], [run]) == []
    elsewhere = run._replace(data=run.data.model_copy(update={"fingerprint": "f" * 64}))
    (line,) = on_other_data([spec, spec], [elsewhere])
    assert line.startswith(f"{run.run_id} was trained on another refcoco")
    asked = spec.model_copy(update={"data": DataSpec(name="synth-refcoco", fingerprint="e" * 64)})
    assert on_other_data([asked], [elsewhere]) == [], "other data were asked for"


def looked_at(trained, *words, name="distribution", **given):
    root, store, _ = trained
    settings = Settings(store=store.root, data_root=root)
    given = {"profile": "quick", "study": "scans", **given, "model": words}
    return looking_study(name, given, sets={}, settings=settings)


def test_words_are_rows_runs_beginnings_of_runs_and_folders(trained):
    _, store, specs = trained
    run_id = specs["parallel"].run_id
    for word in ("parallel", run_id, run_id[:-3], str(store.folder(specs["parallel"]))):
        (run,) = looked_at(trained, word).trained
        assert run.run_id == run_id, word
        assert run.weights.sha256 == weights_of(trained, "parallel")
    both = looked_at(trained, "spatial", run_id).trained
    assert [run.label for run in both] == ["spatial", "parallel"]


def test_a_run_that_is_named_twice_is_looked_at_once(trained):
    run_id = trained[2]["parallel"].run_id
    assert len(looked_at(trained, "parallel", run_id).trained) == 1


def test_without_words_all_rows_of_the_named_study_are_looked_at(trained):
    assert [run.label for run in looked_at(trained).trained] == list(ORDERS)


def test_a_file_of_weights_needs_its_data_and_size(trained, tmp_path):
    _, store, specs = trained
    path = tmp_path / "mine.safetensors"
    path.write_bytes((store.folder(specs["spatial"]) / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match="on which data"):
        looked_at(trained, str(path))
    with pytest.raises(UserError, match="image size"):
        looked_at(trained, str(path), data="refcoco")
    (run,) = looked_at(trained, str(path), data="refcoco", image_size=32).trained
    assert (run.label, run.model) == ("mine", specs["spatial"].model)
    assert (run.data.name, run.data.image_size) == ("refcoco", 32)


def test_reports_of_other_weights_have_names_of_their_own(trained):
    assert looked_at(trained, trained[2]["spatial"].run_id).report == "distribution-spatial"
    assert looked_at(trained, "spatial").report == "distribution-scans-refcoco"
    assert looked_at(trained, "spatial", study=None).report == "distribution-refcoco"


def test_weights_of_other_data_than_asked_for_are_refused(trained):
    run_id = trained[2]["spatial"].run_id
    with pytest.raises(UserError, match="trained on refcoco, not on synth-refcoco") as caught:
        looked_at(trained, run_id, data="synth-refcoco")
    assert caught.value.slug == "other_data"


def test_a_run_without_weights_is_said_to_have_none(trained):
    _, store, specs = trained
    path = store.folder(specs["spatial"]) / "model.safetensors"
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        with pytest.raises(UserError, match="has left no weights") as caught:
            looked_at(trained, "spatial")
        assert caught.value.exit_code is ExitCode.MISSING
        assert any("--fresh" in line for line in caught.value.fix)
    finally:
        hidden.rename(path)


def test_an_unknown_or_ambiguous_word_is_answered_with_what_there_is(trained):
    with pytest.raises(UserError, match="no row of study 'scans'") as caught:
        looked_at(trained, "paralel")
    assert any("parallel" in line for line in (*caught.value.where, *caught.value.fix))
    with pytest.raises(UserError, match="beginning of 2 runs"):
        looked_at(trained, "remamber-tiny-twister")


def test_set_and_split_reach_the_runs(trained):
    study = looked_at(trained, "spatial", split="testA", set_=["distribution.samples=7"])
    spec = study.specs[0]
    assert spec.distribution is not None
    assert (spec.distribution.split, spec.distribution.samples) == ("testA", 7)
    assert spec.data.splits == ("testA",)
