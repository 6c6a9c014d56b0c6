"""The studies that disturb trained weights, and the one that trains cubes of every order."""

import pytest

from remamber.errors import UserError
from remamber.plan.question import Analysis, ReceptiveAnalysis, load_question
from remamber.plan.study import Choices, expand, find_study, load_experiment, studies_folder
from remamber.plan.unread_fields import require_read_by_task

PROBES = ("text_reading", "knock_out", "padding", "resolution_transfer", "receptive_field")


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_looks_at_trained_weights_and_trains_nothing(name):
    experiment = load_experiment(find_study(name))
    assert experiment.trained is not None
    assert experiment.run["task"] in ("evaluate", "receptive")
    assert set(experiment.profiles) == {"quick", "paper"}


@pytest.mark.parametrize("name", (*PROBES, "cube_orders"))
def test_a_probe_asks_its_own_question(name):
    question = load_question(studies_folder("analysis") / f"{name}.toml")
    assert question.experiment == name
    assert isinstance(question, ReceptiveAnalysis if name == "receptive_field" else Analysis)


@pytest.mark.parametrize("key", ["text", "padding", "knock_out", "count_changed"])
def test_a_training_refuses_to_be_disturbed(key):
    with pytest.raises(UserError, match=f"no evaluate.{key}"):
        require_read_by_task("train", {"evaluate": {key: "words"}})
    require_read_by_task("evaluate", {"evaluate": {key: "words"}})


def test_cube_orders_trains_all_six_and_shares_its_first_row_with_the_other_studies():
    def specs(name):
        path = find_study(name)
        return expand(load_experiment(path), Choices(), origin=str(path))

    six = specs("cube_orders")
    assert len({spec.model.fusion.cube for spec in six}) == len({s.digest for s in six}) == 6
    assert six[0].run_id in {spec.run_id for spec in specs("features")}
