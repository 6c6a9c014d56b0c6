"""Rows of a study of trained weights: their names, and what is a row at all."""

import pytest
from simulated_study import simulated_study

from remamber.plan.grid import ROW
from remamber.table.source import row_key, row_label, select

LABELS = {"twister": "Mamba Twister", "as-is": "Whole", "attention no-nouns": "Nounless"}


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("twister as-is", "Mamba Twister (Whole)"),
        ("twister no-nouns", "Mamba Twister (no-nouns)"),
        ("twister", "Mamba Twister"),
        ("attention no-nouns", "Nounless"),
        ("attention as-is", "attention (Whole)"),
        ("else", "else"),
    ],
)
def test_a_row_is_called_by_its_weights_and_what_is_done_to_them(key, label):
    assert row_label(key, LABELS, ("twister", "attention")) == label


def test_labels_of_a_training_study_are_of_whole_keys_alone():
    assert row_label("twister as-is", LABELS) == "twister as-is"


@pytest.fixture
def study(tmp_path):
    skill = {"spatial": 0.3, "parallel": 0.4}
    return simulated_study(tmp_path / "runs", skill=skill, bounds=False)


def on_weights(study, trained):
    """The study as one of trained weights: its rows are called after them."""
    ids = [record.run_id for record in study.store.records()]
    rows = {run_id: f"{trained[i]} as-is" for i, run_id in enumerate(ids)}
    labels = {"as-is": "Whole", "gone as-is": "Gone"}
    view = study.analysis.table.model_copy(update={"rows": ROW, "labels": labels})
    analysis = study.analysis.model_copy(update={"table": view})
    named = dict(zip(ids, trained, strict=True))
    runs = study.runs.model_copy(update={"run_ids": tuple(ids), "rows": rows, "trained": named})
    return analysis, runs


def test_a_part_of_a_name_is_no_row(study):
    analysis, runs = on_weights(study, ["one", "two"])
    found = select(analysis, runs, study.store).variants
    assert [v.label for v in found] == ["one (Whole)", "two (Whole)"]
    assert all(v.status == "ok" for v in found)


def test_one_alteration_of_several_weights_is_not_taken_for_seeds_of_a_row(study):
    _, runs = on_weights(study, ["one", "two"])
    keys = [row_key(record, "evaluate.text", runs) for record in study.store.records()]
    assert keys == ["one as-is", "two as-is"]
    _, runs = on_weights(study, ["one", "one"])
    keys = [row_key(record, "evaluate.text", runs) for record in study.store.records()]
    assert keys == ["as-is", "as-is"]


def test_each_alteration_of_each_weights_is_a_row_and_there_are_no_others(study):
    analysis, runs = on_weights(study, ["one", "two"])
    view = analysis.table.model_copy(update={"rows": "evaluate.text"})
    analysis = analysis.model_copy(update={"table": view})
    found = select(analysis, runs, study.store).variants
    assert [v.label for v in found] == ["one (Whole)", "two (Whole)"]
