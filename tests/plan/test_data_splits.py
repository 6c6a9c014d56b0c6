"""A data set that the command line names is scored on the splits that it has."""

import pytest

from remamber.plan.spec import DataSpec, RunSpec
from remamber.plan.study import Choices, expand, find_study, load_experiment

EXPERIMENT = load_experiment(find_study("scans"))


def splits(**data):
    choices = Choices(profile="quick", overrides={"data": data})
    return {spec.data.splits for spec in expand(EXPERIMENT, choices, origin="a test")}


@pytest.mark.parametrize("name", ["refcocog", "synth-refcocog"])
def test_refcocog_has_one_test_split(name):
    assert splits(name=name) == {("val", "test")}


@pytest.mark.parametrize("name", ["refcoco", "synth-refcoco+", "synth-grefcoco"])
def test_the_others_have_two(name):
    assert splits(name=name) == {("val", "testA", "testB")}


def test_splits_of_the_command_line_come_first():
    assert splits(name="synth-refcocog", splits=["val"]) == {("val",)}


def test_a_spec_without_the_new_fields_keeps_its_hash():
    plain = RunSpec(data=DataSpec())
    assert '"difficulty"' not in plain.canonical()
    assert '"side"' not in plain.canonical()
    hard, large = (
        RunSpec(data=DataSpec(**more)) for more in ({"difficulty": "hard"}, {"side": 96})
    )
    assert len({plain.digest, hard.digest, large.digest}) == 3
