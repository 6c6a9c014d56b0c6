"""Tables 1, 3 and 4 share the full Twister: the same spec, so it is trained once."""

import functools

import pytest

from remamber.errors import UserError
from remamber.plan.spec import ADDED, RunSpec
from remamber.plan.study import Choices, expand, find_study, load_experiment
from remamber.registry import FUSIONS

STUDIES = {"scans": 5, "fusion": 4, "features": 3}


def runs(study, profile="quick", **more):
    choices = Choices(profile=profile, **more)
    return expand(load_experiment(find_study(study)), choices, origin=study)


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_the_full_twister_is_one_run_of_three_studies(profile):
    digests = [{spec.digest for spec in runs(study, profile)} for study in STUDIES]
    assert [len(d) for d in digests] == list(STUDIES.values())
    assert len(set.intersection(*digests)) == 1
    assert len(set.union(*digests)) == sum(STUDIES.values()) - 2 == 10


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
    entries = {**FUSIONS.entries, "mine": FUSIONS.entries["twister"]}
    monkeypatch.setitem(FUSIONS.__dict__, "entries", entries)
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
