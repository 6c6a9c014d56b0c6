"""The expressions that a study of masks shows: chosen before its runs, from what was scored."""

from dataclasses import replace

import pytest
from simulated_study import simulated_study

from remamber.cli._mask_examples import with_examples
from remamber.cli._study import Study
from remamber.errors import ExitCode, UserError
from remamber.plan.look import MasksSpec
from remamber.plan.spec import RunSpec, WeightsSpec
from remamber.plan.study import Choices, Experiment
from remamber.plan.trained import TrainedRun
from remamber.record.store import Store

ORDERS = ("spatial", "parallel")


def weights_of(number: int) -> WeightsSpec:
    return WeightsSpec(holds="model", sha256=f"{number:064x}")


def trained_of(store, tmp_path):
    return tuple(
        TrainedRun(
            label=record.spec.model.fusion.scan_order,
            seed=record.spec.seed,
            model=record.spec.model,
            data=record.spec.data,
            weights=weights_of(number),
            path=tmp_path / "model.safetensors",
            run_id=record.run_id,
        )
        for number, record in enumerate(store.records())
    )


@pytest.fixture
def store(tmp_path) -> Store:
    skill = dict.fromkeys(ORDERS, 0.4)
    return simulated_study(tmp_path / "runs", skill=skill, bounds=False).store


@pytest.fixture
def study(store, tmp_path) -> Study:
    trained = trained_of(store, tmp_path)
    specs = tuple(
        RunSpec(
            task="masks",
            model=run.model,
            data=run.data,
            weights=run.weights,
            masks=MasksSpec(count=2, reference="parallel"),
        )
        for run in trained
    )
    experiment = Experiment.model_validate({"title": "t", "paper": "p", "profiles": {}})
    return Study(
        "masks",
        tmp_path / "masks.toml",
        experiment,
        Choices(),
        specs=specs,
        rows=tuple(run.label for run in trained),
        trained=trained,
    )


def test_all_rows_show_the_same_expressions_chosen_from_what_they_scored(study, store):
    first, second = with_examples(study, store).specs
    assert first.masks == second.masks
    assert first.masks.reference == "parallel"
    assert set(first.masks.rows) == set(ORDERS)
    assert [e.rule for e in first.masks.items] == [
        *("best", "best"),
        *("median", "median"),
        *("worst", "worst"),
        *("disagreement", "disagreement"),
    ]
    assert first.masks.candidates == 180
    assert with_examples(study, store).specs == (first, second)


def test_another_study_is_left_as_it_is(study, store):
    specs = tuple(spec.model_copy(update={"masks": None}) for spec in study.specs)
    other = replace(study, specs=specs)
    assert with_examples(other, store) is other


def test_weights_that_were_not_scored_are_shown_and_do_not_choose(study, store):
    lone = study.specs[0].model_copy(update={"weights": weights_of(99)})
    both = replace(study, specs=(lone, study.specs[1]))
    shown = with_examples(both, store).specs
    assert shown[0].masks == shown[1].masks
    assert shown[0].masks.rows == (study.rows[1],)


def test_weights_are_shown_by_the_protocol_by_which_they_were_scored(study, store):
    record = store.records()[0]
    lavt = record.spec.model_copy(
        update={"evaluate": record.spec.evaluate.model_copy(update={"protocols": ("lavt",)})}
    )
    path = store.counts_path(record)
    again = record.model_copy(
        update={"spec": lavt, "run_id": lavt.run_id, "digest": lavt.digest, "counts": None}
    )
    written = store.write_record(again, counts=path.read_bytes())
    run = study.trained[0]._replace(run_id=written.run_id)
    one = replace(study, specs=study.specs[:1], rows=study.rows[:1], trained=(run,))
    assert with_examples(one, store).specs[0].evaluate.protocol == "lavt"


def test_an_evaluation_of_the_weights_serves_as_well_as_their_training(study, store, tmp_path):
    record = store.records()[0]
    weights = weights_of(7)
    spec = RunSpec(task="evaluate", model=record.spec.model, data=record.spec.data, weights=weights)
    evaluated = record.model_copy(
        update={"spec": spec, "run_id": spec.run_id, "digest": spec.digest}
    )
    store.write_record(evaluated, counts=store.counts_path(record).read_bytes())
    file = study.trained[0]._replace(weights=weights, run_id="")
    one = study.specs[0].model_copy(update={"weights": weights})
    of_file = replace(study, specs=(one,), rows=("file",), trained=(file,))
    assert with_examples(of_file, store).specs[0].masks.rows == ("file",)


def test_weights_that_nothing_has_scored_on_the_data_are_one_clear_error(study, store):
    other = study.specs[0].data.model_copy(update={"name": "refcoco", "fingerprint": "beef"})
    specs = tuple(spec.model_copy(update={"data": other}) for spec in study.specs)
    with pytest.raises(UserError, match="scored on refcoco") as caught:
        with_examples(replace(study, specs=specs), store)
    assert caught.value.exit_code is ExitCode.MISSING
    assert "remamber-bench evaluate" in caught.value.fix[0]
