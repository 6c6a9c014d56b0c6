"""Studies of trained weights: every alteration by every trained row, bound to what trained it."""

from pathlib import Path

import pytest

from remamber.errors import UserError
from remamber.plan.spec import DataSpec, FusionSpec, ModelSpec, WeightsSpec
from remamber.plan.study import Choices, load_experiment, planned_runs
from remamber.plan.trained import TrainedRun

STUDY = """
title = "T"
paper = "P"
[trained]
study = "fusion"
rows = ["twister", "attention"]
[run]
task = "evaluate"
[run.data]
splits = ["val"]
[grid]
"evaluate.text" = ["as-is", "shuffled-words"]
[profiles.quick]
summary = "s"
seeds = [0, 1, 2]
"""

EVERYTHING = Choices()


def trained_run(label, *, seed=0, dataset="synth-refcoco", number=None):
    number = seed if number is None else number
    return TrainedRun(
        label=label,
        seed=seed,
        model=ModelSpec(fusion=FusionSpec(name=label, depth=1), size="small"),
        data=DataSpec(name=dataset, preset="quick", image_size=96, fingerprint="old"),
        weights=WeightsSpec(holds="model", sha256=f"{label.encode().hex()}{number}".rjust(64, "0")),
        path=Path("model.safetensors"),
        run_id=f"run-of-{label}-{seed}",
    )


def experiment(tmp_path, text=STUDY):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_experiment(path)


def planned(tmp_path, trained, choices=EVERYTHING, text=STUDY):
    return planned_runs(experiment(tmp_path, text), choices, origin="mine", trained=trained)


BOTH = [trained_run("twister"), trained_run("attention")]


def test_a_study_of_weights_runs_each_alteration_on_each_of_them(tmp_path):
    runs = planned(tmp_path, BOTH)
    assert [(r.row, r.trained) for r in runs] == [
        ("twister as-is", "twister"),
        ("twister shuffled-words", "twister"),
        ("attention as-is", "attention"),
        ("attention shuffled-words", "attention"),
    ]
    assert [r.spec.evaluate.text for r in runs] == ["as-is", "shuffled-words"] * 2


def test_a_run_takes_over_model_data_seed_and_weights_of_the_training(tmp_path):
    weights = trained_run("twister", seed=3)
    spec = planned(tmp_path, [weights])[0].spec
    assert spec.model == weights.model
    assert spec.weights == weights.weights
    assert spec.seed == 3
    assert (spec.data.preset, spec.data.image_size) == ("quick", 96)
    assert spec.data.splits == ("val",), "what the study sets is laid over it"
    assert spec.data.fingerprint == "", "the data that are here are to be looked at"
    assert spec.train is None


def test_seeds_and_data_sets_of_a_row_are_runs_of_that_row(tmp_path):
    rows = [
        trained_run("twister", seed=0),
        trained_run("twister", seed=1),
        trained_run("twister", seed=1, dataset="synth-refcocog", number=9),
    ]
    runs = planned(tmp_path, rows, Choices(only=("as-is",)))
    assert [r.row for r in runs] == ["twister as-is"] * 3
    assert [r.spec.seed for r in runs] == [0, 1, 1]
    assert [r.spec.data.name for r in runs][-1] == "synth-refcocog"


def test_only_takes_trained_rows_and_alterations(tmp_path):
    runs = planned(tmp_path, BOTH, Choices(only=("attention", "text=as-is")))
    assert [r.row for r in runs] == ["attention as-is"]
    with pytest.raises(UserError, match="twistr") as caught:
        planned(tmp_path, BOTH, Choices(only=("twistr",)))
    assert any("twister" in line for line in (*caught.value.where, *caught.value.fix))


def test_without_alterations_a_row_is_called_as_the_weights(tmp_path):
    text = STUDY.replace('[grid]\n"evaluate.text" = ["as-is", "shuffled-words"]\n', "")
    assert [r.row for r in planned(tmp_path, BOTH, text=text)] == ["twister", "attention"]


def test_a_study_of_weights_loads_where_there_are_none(tmp_path):
    runs = planned(tmp_path, [])
    assert [run.spec.evaluate.text for run in runs] == ["as-is", "shuffled-words"]
    assert all(run.spec.weights is None for run in runs)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"model": {"size": "base"}}, "model.size"),
        ({"train": {"steps": 5}}, "train.steps"),
        ({"weights": None}, "weights"),
    ],
)
def test_what_the_weights_decide_cannot_be_set(tmp_path, overrides, key):
    with pytest.raises(UserError, match="decide") as caught:
        planned(tmp_path, BOTH, Choices(overrides=overrides))
    assert any(key in line for line in caught.value.fix)
    assert caught.value.slug == "decided_by_weights"


def test_a_study_that_sets_what_weights_decide_is_refused_by_its_file(tmp_path):
    with pytest.raises(UserError, match=r"mine\.toml.*model"):
        experiment(tmp_path, STUDY.replace("[run.data]", '[run.model]\nsize = "base"\n[run.data]'))


@pytest.mark.parametrize("task", ["train", "flops"])
def test_a_task_that_reads_no_weights_is_refused_with_them(tmp_path, task):
    text = STUDY.replace('evaluate"\n[run.data]', f'{task}"\n[run.data]')
    text = text.replace('[grid]\n"evaluate.text" = ["as-is", "shuffled-words"]\n', "")
    with pytest.raises(UserError, match=f"'{task}' reads no trained weights"):
        experiment(tmp_path, text)


def test_data_may_be_set_over_those_of_the_training(tmp_path):
    runs = planned(tmp_path, BOTH, Choices(overrides={"data": {"image_size": 128}}))
    assert {r.spec.data.image_size for r in runs} == {128}


def test_the_same_weights_under_two_names_are_looked_at_once(tmp_path):
    one = trained_run("twister")
    assert len(planned(tmp_path, [one, one._replace(label="full")])) == 2


def test_a_switch_makes_rows_that_can_be_read(tmp_path):
    text = STUDY.replace(
        '"evaluate.text" = ["as-is", "shuffled-words"]', '"receptive.trained" = [true, false]'
    )
    text = text.replace('task = "evaluate"', 'task = "receptive"')
    runs = planned(tmp_path, BOTH[:1], text=text)
    assert [r.row for r in runs] == ["twister trained", "twister not-trained"]
    assert [r.spec.receptive.trained for r in runs] == [True, False]


def test_a_run_that_looks_at_one_split_reads_no_other(tmp_path):
    text = STUDY.replace('task = "evaluate"', 'task = "masks"').replace('splits = ["val"]', "")
    text = text.replace('[grid]\n"evaluate.text" = ["as-is", "shuffled-words"]\n', "")
    asked = Choices(overrides={"masks": {"split": "testB"}})
    assert planned(tmp_path, BOTH, asked, text=text)[0].spec.data.splits == ("testB",)
