"""What a profile sets in named rows, such as a model's own recipe at full scale."""

import pytest

from remamber.errors import UserError
from remamber.plan.study import Choices, expand, find_study, load_experiment, planned_runs

STUDY = """
title = "T"
paper = "Tab. 2"
[rows]
a = { model.size = "small" }
b = { model.name = "lavt" }
[profiles.quick]
summary = "s"
[profiles.quick.run.train]
steps = 10
lr = 0.5
[profiles.paper]
summary = "s"
[profiles.paper.run.train]
epochs = 3
[profiles.paper.rows.b.train]
epochs = 4
loss = "lavt"
"""


def expanded(tmp_path, profile, text=STUDY):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    runs = planned_runs(load_experiment(path), Choices(profile=profile), origin=str(path))
    return {run.row: run.spec for run in runs}


def test_a_row_gets_its_own_recipe_at_that_scale_only(tmp_path):
    paper = expanded(tmp_path, "paper")
    assert (paper["a"].train.epochs, paper["a"].train.loss) == (3, "dice-bce")
    assert (paper["b"].train.epochs, paper["b"].train.loss) == (4, "lavt")
    assert paper["b"].model.name == "lavt" and paper["a"].model.size == "small"
    quick = expanded(tmp_path, "quick")
    assert quick["a"].train == quick["b"].train


def test_a_row_that_the_study_does_not_have_is_named(tmp_path):
    with pytest.raises(UserError, match="'c'"):
        expanded(tmp_path, "paper", STUDY + "[profiles.paper.rows.c]\nseed = 3\n")


def test_the_comparison_trains_every_model_by_its_own_recipe_at_the_papers_scale():
    path = find_study("sota")
    specs = expand(load_experiment(path), Choices(profile="paper"), origin=str(path))
    assert len(specs) == 2 * 3
    lavt = [spec for spec in specs if spec.model.name == "lavt"]
    assert {spec.train.loss for spec in lavt} == {"lavt"}
    assert {spec.model.text.name for spec in lavt} == {"bert"}
    assert {s.train.loss for s in specs if s.model.name == "remamber"} == {"dice-bce"}
    assert {spec.data.image_size for spec in specs} == {480}
    assert all({"lavt", "cris", "release"} <= set(spec.evaluate.protocols) for spec in specs)


def test_the_comparison_gives_both_models_one_recipe_on_a_bare_machine():
    path = find_study("sota")
    first, second = expand(load_experiment(path), Choices(profile="quick"), origin=str(path))
    assert first.train == second.train and first.data == second.data
