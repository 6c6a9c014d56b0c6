"""What the paper leaves open of a fusion variant stands in the spec by name."""

import functools

import pytest

from remamber.errors import UserError
from remamber.plan.fusion_options import ADDED_OPTIONS, default_of, resolved_options
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec
from remamber.plan.strict_toml import merge, parse_override
from remamber.plan.study import Choices, expand, find_study, load_experiment
from remamber.registry import FUSIONS

DECLARED = {"order": ("first", "last"), "heads": 4, "share": 0.5, "keep": True}


def resolved(**given):
    return resolved_options("mine", given, declared=DECLARED)


def runs(*settings):
    overrides = functools.reduce(merge, map(parse_override, settings), {})
    choices = Choices(overrides=overrides)
    return expand(load_experiment(find_study("fusion")), choices, origin="fusion")


def test_a_planned_run_names_all_options_of_its_variant():
    for spec in runs():
        declared = FUSIONS.options(spec.model.fusion.name)
        assert spec.model.fusion.options == {k: default_of(v) for k, v in declared.items()}
    assert {len(s.model.fusion.options) for s in runs()} == {0, 3, 5}


def test_runs_with_options_as_before_there_were_any_keep_their_hash():
    for spec in runs():
        fusion = spec.model.fusion.model_copy(update={"options": {}})
        before = spec.model_copy(update={"model": spec.model.model_copy(update={"fusion": fusion})})
        assert spec.digest == before.digest
        assert ADDED_OPTIONS.get(fusion.name, {}) == spec.model.fusion.options


def test_set_reaches_the_variants_that_have_the_option_and_makes_them_other_runs():
    before = {s.model.fusion.name: s for s in runs()}
    after = {s.model.fusion.name: s for s in runs("model.fusion.options.head_channels=16")}
    assert after["attention"].model.fusion.options["head_channels"] == 16
    assert "head-channels-16" in after["attention"].run_id
    assert after["attention"].digest != before["attention"].digest
    for name in ("in-context", "norm-adaptation", "twister"):
        assert after[name] == before[name]


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(UserError, match="unknown option") as caught:
        runs("model.fusion.options.head_chanels=16")
    assert "model.fusion.options.head_channels" in caught.value.fix[0]


@pytest.mark.parametrize(
    "given",
    [{"order": "middle"}, {"heads": 0}, {"heads": 2.5}, {"heads": True}, {"share": -0.1},
     {"share": "half"}, {"keep": "yes"}, {"keep": 1}],
    ids=str,
)  # fmt: skip
def test_a_value_that_an_option_cannot_have_is_refused_with_what_it_can(given):
    with pytest.raises(UserError, match=f"options.{next(iter(given))} of .* expected "):
        resolved(**given)


def test_a_number_has_the_kind_of_its_default_so_that_it_has_one_hash():
    assert resolved(share=1)["share"] == 1.0 and isinstance(resolved(share=1)["share"], float)
    assert resolved() == {"order": "first", "heads": 4, "share": 0.5, "keep": True}


def test_all_options_of_another_packages_variant_are_in_its_hash():
    def digest(**options):
        return RunSpec(model=ModelSpec(fusion=FusionSpec(name="mine", options=options))).digest

    assert len({digest(), digest(heads=4), digest(heads=5)}) == 3


def test_specs_with_options_can_be_told_apart_and_counted():
    one, two = (FusionSpec(name="attention", options={"width": w}) for w in (0.5, 1.0))
    assert len({one, two, one.model_copy()}) == 2
