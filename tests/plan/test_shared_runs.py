"""Tables 1, 3 and 4 share the full Twister: the same spec, so it is trained once."""

import functools

import pytest

from remamber.errors import UserError
from remamber.plan.spec import ADDED, RunSpec
from remamber.plan.study import Choices, expand, find_study, load_experiment, planned_runs
from remamber.registry import FUSIONS

STUDIES = {"scans": 5, "fusion": 4, "features": 3}


def runs(study, profile="quick", **more):
    choices = Choices(profile=profile, **more)
    return expand(load_experiment(find_study(study)), choices, origin=study)


@pytest.mark.parametrize(("profile", "rows"), [("quick", (5, 4, 3)), ("paper", (5, 12, 3))])
def test_the_full_twister_is_one_run_of_three_studies(profile, rows):
    digests = [{spec.digest for spec in runs(study, profile)} for study in STUDIES]
    assert tuple(len(d) for d in digests) == rows
    assert len(set.intersection(*digests)) == 1
    assert len(set.union(*digests)) == sum(rows) - 2 == (18 if profile == "paper" else 10)


def test_table_1_has_the_papers_three_data_sets_each_with_its_own_splits():
    specs = runs("fusion", "paper")
    splits = {s.data.name: s.data.splits for s in specs}
    assert splits == {
        "refcoco": ("val", "testA", "testB"),
        "refcoco+": ("val", "testA", "testB"),
        "refcocog": ("val", "test"),
    }
    assert [s.data.name for s in specs] == [name for name in splits for _ in range(4)]
    assert {s.model.text.name for s in specs} == {"clip"}
    assert all(s.model.start.name.startswith("vssm_base") for s in specs)


def test_values_of_one_axis_are_alternatives_and_of_two_must_both_hold():
    def names(*only):
        return [(s.data.name, s.model.fusion.name) for s in runs("fusion", "paper", only=only)]

    assert names("refcoco+", "twister") == [("refcoco+", "twister")]
    assert len(names("twister")) == 3 and len(names("refcoco+", "refcocog")) == 8
    assert names("data.name=refcocog", "twister", "attention") == [
        ("refcocog", "attention"),
        ("refcocog", "twister"),
    ]


@pytest.mark.parametrize("name", ["refcocog", "synth-refcoco"])
def test_the_command_lines_data_set_is_the_only_one(name):
    specs = runs("fusion", "paper", overrides={"data": {"name": name}})
    assert [s.data.name for s in specs] == [name] * 4
    alone = runs("scans", "paper", overrides={"data": {"name": name}})
    assert specs[-1].digest in {s.digest for s in alone}, "the shared run stays shared"


def test_a_row_may_set_several_keys_and_shares_the_runs_of_other_studies():
    experiment = load_experiment(find_study("beyond"))
    planned = planned_runs(experiment, Choices(), origin="beyond")
    models = {run.row: run.spec.model for run in planned}
    assert len(planned) == len(models) == 12
    assert models["swin-attention"].backbone == "swin"
    assert models["swin-attention"].fusion.name == "attention"
    assert models["one-direction"].scan_directions == "one"
    assert models["causal-channel-scan"].fusion.channel_scan == "causal"
    assert models["ssd-spatial-scan"].fusion.spatial_scan == "ssd"
    shared = {run.spec.digest for run in planned} & {s.digest for s in runs("fusion")}
    assert len(shared) == 4
    only = Choices(only=("swin-twister", "row=twister"))
    assert [r.row for r in planned_runs(experiment, only, origin="x")] == [
        "twister", "swin-twister",
    ]  # fmt: skip


def test_table_1_has_the_papers_four_variants():
    specs = runs("fusion")
    assert [s.model.fusion.name for s in specs] == [
        "attention", "in-context", "norm-adaptation", "twister",
    ]  # fmt: skip
    assert len({s.train for s in specs}) == len({s.data for s in specs}) == 1


def test_table_4_differs_in_the_cube_alone():
    cubes = [s.model.fusion.cube for s in runs("features")]
    assert cubes == ["image-global", "image-local", "image-global-local"]


def test_names_of_runs_say_what_sets_them_apart():
    names = [s.run_id.rpartition("-synth")[0] for s in (*runs("fusion"), *runs("features"))]
    assert names == [
        "remamber-tiny-attention",
        "remamber-tiny-in-context",
        "remamber-tiny-norm-adaptation",
        "remamber-tiny-twister-channel-spatial",
        "remamber-tiny-twister-channel-spatial-image-global",
        "remamber-tiny-twister-channel-spatial-image-local",
        "remamber-tiny-twister-channel-spatial",
    ]


def test_only_takes_a_fusion_that_the_study_does_not_list(monkeypatch):
    mine = FUSIONS.entries["twister"]
    monkeypatch.setitem(FUSIONS.__dict__, "entries", {**FUSIONS.entries, "mine": mine})
    monkeypatch.setitem(FUSIONS.__dict__, "_own", {**FUSIONS._own, "mine": mine})
    specs = runs("fusion", only=("twister", "mine"))
    assert [s.model.fusion.name for s in specs] == ["twister", "mine"]
    with pytest.raises(UserError, match="unknown variant 'mines'"):
        runs("fusion", only=("mines",))


def test_fields_added_later_leave_the_hash_of_older_runs():
    spec = RunSpec.model_validate(
        {
            "model": {"fusion": {"scan_order": "channel"}},
            "data": {"name": "synth-refcoco", "fingerprint": "f00d" * 4},
            "train": {"steps": 500},
            "evaluate": {"shuffled_text": True},
        }
    )
    for path, default in ADDED.items():
        assert functools.reduce(getattr, path, spec) == default, path
    assert spec.digest.startswith("182a8ad6b3dbb3e1"), "as it was before the first of them"


@pytest.mark.parametrize("changed", [{"fingerprint": "abc"}, {"length": 21}, {"name": "clip"}])
def test_a_text_encoder_other_than_the_default_is_another_run(changed):
    spec = RunSpec()
    text = spec.model.text.model_copy(update=changed)
    other = spec.model_copy(update={"model": spec.model.model_copy(update={"text": text})})
    assert other.digest != spec.digest
