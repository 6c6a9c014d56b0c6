import pytest
from simulated_study import Simulated, add_run, scans_analysis, simulated_study, spec_of

from remamber.record.store import Store
from remamber.report.verdict import verdict
from remamber.table.results import build


def said(study):
    return verdict(build(study.analysis, study.runs, study.store))


def test_the_best_row_its_equals_and_its_inferiors_are_named(tmp_path):
    text = said(simulated_study(tmp_path, images=100))
    assert " has the highest val mIoU, " in text
    assert ", of 5; it cannot be told from " in text
    assert "Channel only by " in text or "Channel only is lower by " in text
    assert text.endswith("One training run a row: variation between trainings is not included.")


def test_nobody_wins_inside_the_noise(tmp_path):
    skill = dict.fromkeys(("channel", "spatial", "parallel", "spatial-channel"), 0.4)
    study = simulated_study(tmp_path, skill=skill | {"channel-spatial": 0.4004}, images=40)
    text = said(study)
    assert text.startswith("The five rows cannot be told apart at 5 %: val mIoU lies between ")
    assert "are hard to detect here" in text
    assert "highest" not in text


def test_missing_rows_are_not_passed_over(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3, "parallel": 0.42}, images=40)
    add_run(study, "spatial", skill=0.4, status="oom")
    add_run(study, "spatial-channel", skill=0.4, status="error")
    study.run_ids.append(spec_of("channel-spatial").run_id)
    text = said(study)
    assert "of the 2 rows scored (5 planned)" in text
    assert "Spatial only ran out of memory" in text
    assert "Spatial-Channel failed" in text
    assert "Channel-Spatial has not run" in text


def test_a_row_that_was_left_out_is_not_said_to_have_never_run(tmp_path):
    study = simulated_study(tmp_path, images=10)
    study.run_ids[:] = study.run_ids[:2]
    text = said(study)
    assert "Channel-Spatial was not asked for" in text
    assert "has not run" not in text


def test_one_row_alone_is_compared_with_nothing(tmp_path):
    text = said(simulated_study(tmp_path, skill={"channel": 0.3}, images=10))
    assert text.startswith("Only Channel only was scored: ")
    assert "nothing to compare it with" in text


def test_no_row_gives_no_claim(tmp_path):
    text = said(Simulated(Store(tmp_path), scans_analysis()))
    assert text.startswith("No row was scored on val mIoU, so nothing can be said.")


def test_one_image_gives_no_claim_about_differences(tmp_path):
    text = said(simulated_study(tmp_path, skill={"channel": 0.3, "parallel": 0.6}, images=1))
    assert "all expressions are on one image" in text
    assert "nan" not in text.lower()


def test_several_trainings_of_one_row_are_not_called_one(tmp_path):
    study = Simulated(Store(tmp_path), scans_analysis())
    add_run(study, "parallel", skill=0.5, seed=0, images=40)
    for seed in (0, 1):
        add_run(study, "channel", skill=0.3, seed=seed, images=40)
    text = said(study)
    assert "One training run a row" not in text
    assert "No two rows share two seeds: variation between trainings is not included." in text


@pytest.mark.parametrize(("spread", "settled"), [(0.0, True), (0.25, False)])
def test_seeds_that_disagree_leave_a_difference_open(tmp_path, spread, settled):
    study = Simulated(Store(tmp_path), scans_analysis())
    for seed in (0, 1, 2):
        add_run(study, "parallel", skill=0.5, seed=seed, images=80)
        add_run(study, "channel", skill=0.4 + spread * (seed - 1), seed=seed, images=80)
    text = said(study)
    assert ("Over 3 seeds the difference of Channel only is not settled" in text) != settled
