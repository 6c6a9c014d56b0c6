"""Command ``compare``: what it prints, and when it fails."""

import json

import pytest
from simulated_study import simulated_study


@pytest.fixture
def compare(bench, tmp_path):
    simulated_study(tmp_path / "runs")

    def run(*arguments):
        return bench("compare", *arguments)

    return run


SIDES = ("scan_order=channel-spatial", "scan_order=channel")


def test_it_says_what_differs_and_by_how_much(compare):
    said = compare(*SIDES)
    assert said.status == 0
    assert "model.fusion.scan_order: channel-spatial -> channel" in said.out
    assert "worse" in said.out
    assert "1 seed: how much training itself varies is not known" in said.out


def test_json_holds_the_same_as_fractions(compare):
    content = json.loads(compare(*SIDES, "--json", "--split", "val", "--metric", "mIoU").out)
    (pair,) = content["pairs"]
    (row,) = pair["accuracy"]
    assert row["verdict"] == "worse"
    assert row["b"] - row["a"] == pytest.approx(row["difference"])
    assert -1 < row["low"] <= row["difference"] <= row["high"] < 1


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("--fail-on", "worse"), 1),
        (("--fail-on", "different"), 1),
        (("--fail-on-regression", "mIoU:0.5"), 1),
        (("--fail-on-regression", "mIoU:90"), 0),
    ],
)
def test_it_fails_only_as_asked_for(compare, options, status):
    said = compare(*SIDES, *options)
    assert said.status == status
    assert ("failed:" in said.err) == bool(status)


def test_better_is_no_failure_but_a_difference(compare):
    assert compare(*reversed(SIDES), "--fail-on", "worse").status == 0
    assert compare(*reversed(SIDES), "--fail-on", "different").status == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--fail-on", "worst"), "did you mean 'worse'?"),
        (("--fail-on-regression", "mIoU"), "--fail-on-regression mIoU:0.5"),
        (("--metric", "mIOU"), "did you mean 'mIoU'?"),
        (("--split", "testC"), "no split in common"),
    ],
)
def test_what_cannot_be_meant_is_refused(compare, options, words):
    said = compare(*SIDES, *options)
    assert said.status == 2
    assert words in said.err
