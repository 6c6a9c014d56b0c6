import pytest

from remamber.errors import ExitCode, UserError
from remamber.plan.question import Analysis, load_question
from remamber.plan.scan_shapes import SHAPES
from remamber.plan.spec import KernelsSpec, ModelSpec, RunSpec, TrainSpec
from remamber.plan.strict_toml import parse_override
from remamber.plan.study import (
    Choices,
    expand,
    find_study,
    load_experiment,
    require_entries,
    studies_folder,
    study_names,
)

STUDY = """
title = "T"
paper = "Tab. 3"
[run.model]
name = "remamber"
[grid]
"model.fusion.scan_order" = ["channel", "spatial"]
[profiles.quick]
summary = "s"
seeds = [0, 1]
[profiles.quick.run.train]
steps = 10
"""


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def refused(tmp_path, text):
    with pytest.raises(UserError) as caught:
        load_experiment(write(tmp_path, text))
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_every_shipped_study_loads_and_has_its_analysis():
    assert "scans" in study_names()
    for name in study_names():
        load_experiment(find_study(name))
        analysis = load_question(studies_folder("analysis") / f"{name}.toml")
        assert analysis.experiment == name
        if isinstance(analysis, Analysis) and analysis.published:
            assert (studies_folder("analysis") / analysis.published).exists()


def test_scans_quick_gives_five_rows_that_differ_in_the_ordering_alone():
    specs = expand(load_experiment(find_study("scans")), Choices(), origin="scans")
    assert len(specs) == 5
    assert len({s.train for s in specs}) == len({s.data for s in specs}) == 1
    assert len({s.model.fusion.scan_order for s in specs}) == 5


def test_rows_come_in_file_order_with_seeds_inside(tmp_path):
    specs = expand(load_experiment(write(tmp_path, STUDY)), Choices(), origin="x")
    got = [(s.model.fusion.scan_order, s.seed) for s in specs]
    assert got == [("channel", 0), ("channel", 1), ("spatial", 0), ("spatial", 1)]


def test_the_command_line_wins_over_profile_and_study(tmp_path):
    experiment = load_experiment(write(tmp_path, STUDY))
    choices = Choices(seeds=(7,), overrides=parse_override("train.steps=3"), only=("spatial",))
    (spec,) = expand(experiment, choices, origin="x")
    assert (spec.seed, spec.train.steps, spec.model.fusion.scan_order) == (7, 3, "spatial")


def test_only_takes_a_value_or_the_end_of_a_key(tmp_path):
    experiment = load_experiment(write(tmp_path, STUDY))
    for only in ("channel", "scan_order=channel", "model.fusion.scan_order=channel"):
        specs = expand(experiment, Choices(only=(only,)), origin="x")
        assert {s.model.fusion.scan_order for s in specs} == {"channel"}


def test_only_with_an_unknown_variant_names_the_nearest(tmp_path):
    experiment = load_experiment(write(tmp_path, STUDY))
    with pytest.raises(UserError, match="unknown variant 'chanel'") as caught:
        expand(experiment, Choices(only=("chanel",)), origin="x")
    assert "'channel'" in caught.value.fix[0]


def test_an_unknown_key_names_file_key_and_nearest(tmp_path):
    error = refused(tmp_path, STUDY.replace("steps = 10", "stepz = 10"))
    assert "mine.toml" in error.what
    assert "train.stepz" in error.what
    assert "train.steps" in error.fix[0]


def test_an_unknown_key_at_the_top_and_in_a_profile_is_refused(tmp_path):
    assert "'titel'" in refused(tmp_path, STUDY.replace("title", "titel")).what
    assert "profiles.quick.seedz" in refused(tmp_path, STUDY.replace("seeds", "seedz")).what


def test_a_negative_step_count_names_file_key_and_value(tmp_path):
    error = refused(tmp_path, STUDY.replace("steps = 10", "steps = -5"))
    assert "mine.toml" in error.what
    assert "train.steps" in error.what
    assert "-5" in error.what


def test_steps_and_epochs_together_are_refused(tmp_path):
    error = refused(tmp_path, STUDY.replace("steps = 10", "steps = 10\nepochs = 2"))
    assert "exactly one of steps and epochs" in error.what


def test_an_unknown_scan_ordering_names_the_nearest(tmp_path):
    error = refused(tmp_path, STUDY.replace('"spatial"]', '"spacial"]'))
    assert error.what == "unknown scan ordering 'spacial'"
    assert "'spatial'" in error.fix[0]


def test_a_file_that_is_not_toml_says_where(tmp_path):
    assert "line 2" in refused(tmp_path, 'title = "T"\nx = = 1').what


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(UserError, match="unknown study 'scanz'") as caught:
        find_study("scanz")
    assert "'scans'" in caught.value.fix[0]


def test_an_unknown_profile_names_the_known(tmp_path):
    experiment = load_experiment(write(tmp_path, STUDY))
    with pytest.raises(UserError, match="unknown profile 'fast'"):
        expand(experiment, Choices(profile="fast"), origin="x")


def test_an_override_reads_toml_values_and_falls_back_to_words():
    assert parse_override("a.b=3") == {"a": {"b": 3}}
    assert parse_override("a=[1, 2]") == {"a": [1, 2]}
    assert parse_override("a=channel") == {"a": "channel"}
    with pytest.raises(UserError, match="KEY=VALUE"):
        parse_override("a")


def test_equal_specs_have_one_run_id_and_any_change_gives_another():
    spec = RunSpec(train=TrainSpec(steps=10))
    again = RunSpec.model_validate_json(spec.model_dump_json())
    assert spec.run_id == again.run_id
    changed = spec.model_copy(update={"seed": 1})
    assert changed.digest != spec.digest
    assert changed.run_id != spec.run_id


def test_a_profile_may_run_a_part_of_the_grid_and_the_command_line_another():
    experiment = load_experiment(find_study("scan_kernels"))

    def cases(**chosen):
        return [s.kernels.case for s in expand(experiment, Choices(**chosen), origin="x")]

    assert cases() == ["s1_256", "s3_256", "ch2", "mamba", "start-up"]
    assert cases(only=("s2_480",)) == ["s2_480"]
    assert set(cases(profile="full")) == {*SHAPES, "start-up"}


def test_an_unknown_kernel_case_names_the_nearest():
    experiment = load_experiment(find_study("scan_kernels"))
    wrong = parse_override("kernels.case=s1_265")
    with pytest.raises(UserError, match="unknown kernel case 's1_265'") as caught:
        spec = expand(experiment, Choices(only=("mamba",)), origin="x")[0]
        kernels = spec.kernels.model_copy(update=wrong["kernels"])
        require_entries(spec.model_copy(update={"kernels": kernels}))
    assert "'s1_256'" in caught.value.fix[0]


def test_a_kernels_time_belongs_to_no_model_or_data():
    timed = RunSpec(task="kernels", kernels=KernelsSpec())
    other = timed.model_copy(update={"model": ModelSpec(size="base"), "scan_backend": "cpu"})
    assert other.digest == timed.digest
    kernels = timed.kernels.model_copy(update={"code": "changed"})
    assert timed.model_copy(update={"kernels": kernels}).digest != timed.digest
    assert timed.run_id.startswith("kernels-s1_256-cpu-")


def unsettable(study, override):
    path = find_study(study)
    with pytest.raises(UserError) as caught:
        expand(load_experiment(path), Choices(overrides=parse_override(override)), origin=str(path))
    return caught.value


def test_a_training_run_is_not_scored_on_a_sample():
    assert "evaluate RUN --limit" in unsettable("scans", "evaluate.limit=5").fix[1]


def test_seeds_are_not_set_as_a_key():
    assert unsettable("scans", "seed=5").fix == ("--seeds 5",)


def test_a_list_is_written_out_in_the_fix():
    error = unsettable("scans", "data.splits=val,testA")
    assert error.fix == ("""--set data.splits='["val", "testA"]'""",)
    assert parse_override("""data.splits=["val", "testA"]""")["data"]["splits"] == ["val", "testA"]


def test_a_value_where_keys_should_stand_is_said_in_words():
    error = unsettable("fusion", "model.start=x.safetensors")
    assert "expected keys below it, model.start.KEY" in error.what


def test_what_a_study_varies_cannot_be_set_for_all_of_its_rows():
    error = unsettable("scans", "model.fusion.scan_order=spatial")
    assert "model.fusion.scan_order is what this study varies" in error.what
    assert "--only spatial" in error.fix
