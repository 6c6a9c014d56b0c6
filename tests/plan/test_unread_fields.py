"""What a model does not read changes neither its run's name nor its hash, and is no study of it."""

import pytest

from remamber.errors import UserError
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec, TrainSpec
from remamber.plan.study import Choices, expand, find_study, load_experiment
from remamber.plan.unread_fields import FUSION_UNREAD, UNREAD

OTHER = {
    "backbone": "swin",
    "scan_directions": "one",
    "decoder": "mamba",
    "fusion": {"name": "attention", "depth": 1},
    "release": True,
}


def runs(study, *, only=(), **model):
    path = find_study(study)
    choices = Choices(only=only, overrides={"model": model})
    return expand(load_experiment(path), choices, origin=str(path))


def test_the_table_names_fields_of_the_spec():
    assert set(OTHER) == set(UNREAD["lavt"]) <= set(ModelSpec.model_fields)


@pytest.mark.parametrize("field", OTHER)
def test_an_unread_field_is_put_back_and_leaves_name_and_hash(field):
    plain = RunSpec.model_validate({"train": {"steps": 1}, "model": {"name": "lavt"}})
    other = RunSpec.model_validate(
        {"train": {"steps": 1}, "model": {"name": "lavt", field: OTHER[field]}}
    )
    assert other == plain and other.run_id == plain.run_id
    assert plain.run_id.startswith("lavt-tiny-synth-refcoco-64-s0-")
    remamber = ModelSpec.model_validate({field: OTHER[field]})
    assert getattr(remamber, field) != getattr(ModelSpec(), field), "remamber reads it"


def test_a_misspelt_field_is_still_refused():
    with pytest.raises(ValueError, match="fusoin"):
        ModelSpec.model_validate({"name": "lavt", "fusoin": {}})


def test_a_start_is_for_lavt_whatever_the_backbone_says():
    start = {"name": "swin-base"}
    spec = ModelSpec.model_validate({"name": "lavt", "backbone": "swin", "start": start})
    assert spec.start is not None and spec.start.name == "swin-base"


@pytest.mark.parametrize(
    ("study", "key"),
    [("scans", "fusion.scan_order"), ("fusion", "fusion.name"), ("features", "fusion.cube")],
)
def test_a_study_of_what_lavt_has_not_is_refused_by_key(study, key):
    with pytest.raises(UserError, match=f"'lavt' has no model.{key}") as refused:
        runs(study, name="lavt")
    assert refused.value.slug == "field_not_read"


def test_the_command_line_is_refused_too(tmp_path):
    path = tmp_path / "lavt.toml"
    path.write_text(
        'title = "t"\npaper = "Tab. 2"\n[run.model]\nname = "lavt"\n[run.train]\nsteps = 1\n'
        '[grid]\n"model.size" = ["tiny", "small"]\n[profiles.quick]\nsummary = "s"\n'
    )
    with pytest.raises(UserError, match="'lavt' has no model.decoder"):
        runs(str(path), decoder="mamba")
    assert [spec.model.size for spec in runs(str(path))] == ["tiny", "small"]


def test_where_rows_name_the_model_each_takes_what_it_reads(tmp_path):
    path = tmp_path / "both.toml"
    path.write_text(
        'title = "t"\npaper = "Tab. 2"\n[run.train]\nsteps = 1\n[grid]\n'
        '"model.name" = ["remamber", "lavt"]\n"model.decoder" = ["conv", "mamba"]\n'
        '[profiles.quick]\nsummary = "s"\n'
    )
    specs = runs(str(path), fusion={"depth": 1})
    assert [(s.model.name, s.model.decoder, s.model.fusion.depth) for s in specs] == [
        ("remamber", "conv", 1),
        ("remamber", "mamba", 1),
        ("lavt", "conv", FusionSpec().depth),
    ]


def test_the_losses_and_schedules_of_both_are_choices_of_any_model():
    spec = RunSpec(train=TrainSpec(steps=1, loss="lavt", schedule="poly"))
    assert spec.digest != RunSpec(train=TrainSpec(steps=1, schedule="poly")).digest
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("variant", FUSION_UNREAD)
def test_the_twisters_own_parts_leave_another_variants_run_alone(variant):
    parts = {"scan_order": "spatial", "channel_scan": "causal", "cube": "image-local"}
    parts["spatial_scan"] = "ssd"
    assert set(parts) == set(FUSION_UNREAD[variant])
    assert FusionSpec.model_validate({"name": variant, **parts}) == FusionSpec(name=variant)
    assert FusionSpec.model_validate(parts) != FusionSpec(), "the Twister reads them"


@pytest.mark.parametrize(("study", "key"), [("scans", "scan_order"), ("features", "cube")])
def test_a_study_of_the_twisters_parts_is_refused_for_another_variant(study, key):
    with pytest.raises(UserError, match=f"'attention' has no model.fusion.{key}") as refused:
        runs(study, fusion={"name": "attention"})
    assert refused.value.slug == "field_not_read"


def test_the_twisters_parts_are_set_for_all_variants_and_read_by_one():
    changed = [run.model.fusion for run in runs("fusion", fusion={"scan_order": "spatial"})]
    usual = [run.model.fusion for run in runs("fusion")]
    assert [f.name for f, g in zip(changed, usual, strict=True) if f != g] == ["twister"]
