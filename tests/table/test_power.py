from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulated_study import simulated_study
from simulated_variants import Variant, by_image, matching, split_of, terms_of

from remamber.errors import UserError
from remamber.report.power_text import Claim, power_text
from remamber.table.counts import CountsFile
from remamber.table.image_difference import image_difference
from remamber.table.power import images_needed, seeds_needed
from remamber.table.power_rows import pair_power, study_power
from remamber.table.sides import find_side, pairs
from remamber.table.significance import detectable_difference

FAST_GAIN = 0.05


def test_a_difference_half_as_large_needs_four_times_the_images():
    one = images_needed(0.02, standard_error=0.01, images=400)
    assert images_needed(0.01, standard_error=0.01, images=400) == pytest.approx(4 * one, abs=4)


def test_no_difference_is_shown_by_one_image():
    assert images_needed(0.9, standard_error=0.001, images=400) == 2


def test_what_can_just_be_detected_needs_the_images_at_hand():
    least = detectable_difference(0.01)
    assert images_needed(least, standard_error=0.01, images=300) == 300


def test_the_images_said_to_be_needed_find_the_difference_as_often_as_said():
    generator = np.random.default_rng(0)
    errors = []
    for _ in range(60):
        split = split_of(100, generator)
        a, b = by_image(split, terms_of(split, [Variant()] * 2, generator))
        errors.append(image_difference(a, b).standard_error[0])
    needed = images_needed(FAST_GAIN, standard_error=float(np.median(errors)), images=100)
    better = Variant(better=matching(Variant(), 0, gain=FAST_GAIN))
    found = 0
    for _ in range(300):
        split = split_of(needed, generator)
        a, b = by_image(split, terms_of(split, [better, Variant()], generator))
        found += image_difference(a, b).p[0] < 0.05
    assert 0.72 < found / 300 < 0.88


# measuring paired t-tests at 80 % power: n and the difference in standard deviations.
@pytest.mark.parametrize(("n", "effect"), [(5, 1.7), (10, 1.0), (20, 0.67), (34, 0.5)])
def test_seeds_by_the_noncentral_t_distribution(n, effect):
    def power(seeds):
        critical = stats.t.ppf(0.975, seeds - 1)
        return stats.nct.sf(critical, seeds - 1, effect * seeds**0.5)

    assert seeds_needed(effect, 1.0) == n
    assert power(n) >= 0.8 > power(n - 1)


def test_the_seeds_said_to_be_needed_find_the_difference_as_often_as_said():
    generator = np.random.default_rng(1)
    n = seeds_needed(0.005, 0.004)
    drawn = generator.normal(0.005, 0.004, (4000, n))
    assert np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05) > 0.78


def test_seeds_at_the_ends():
    assert seeds_needed(0.01, 0.0) == 2
    assert seeds_needed(0.0001, 0.05) is None
    assert seeds_needed(1.0, 0.01) == 2


def test_a_study_is_looked_at_by_split_and_metric(tmp_path):
    study = simulated_study(tmp_path)
    (group,) = study_power(study.analysis, study.runs, study.store)
    assert [(c.split, c.metric) for c in group.cells][:3] == [
        ("val", "mIoU"),
        ("val", "oIoU"),
        ("testA", "mIoU"),
    ]
    cell = group.cells[0]
    assert (cell.images, cell.expressions, cell.rows, cell.comparisons) == (60, 180, 5, 10)
    assert {pair.against for pair in cell.pairs} == {"Channel-Spatial"}
    assert all(pair.difference < 0 for pair in cell.pairs)
    assert cell.detectable(in_table=True) > cell.detectable()
    assert cell.independent_expressions <= cell.expressions


def test_seeds_are_looked_at_where_there_are_some(tmp_path):
    study = simulated_study(tmp_path, seeds=(0, 1, 2))
    (group,) = study_power(study.analysis, study.runs, study.store, splits=["val"])
    spread = group.cells[0].pairs[0].spread
    assert spread is not None
    assert spread.seeds == 3
    assert spread.low < spread.sd < spread.high


def test_a_and_b_are_looked_at_without_a_study(tmp_path):
    study = simulated_study(tmp_path)
    sides = (
        find_side("scan_order=spatial", study.store),
        find_side("scan_order=parallel", study.store),
    )
    (group,) = pair_power(sides, pairs(*sides), metrics=["Pr@50"])
    (pair,) = group.cells[0].pairs
    assert {pair.row, pair.against} == {"A", "B"}
    assert group.cells[0].comparisons == 1


@pytest.mark.parametrize("images", [1, 60])
def test_rows_that_do_not_differ_do_not_tell_how_many_images_are_enough(tmp_path, images):
    study = simulated_study(tmp_path, images=images)
    side = find_side("scan_order=spatial", study.store)
    other = side if images > 1 else find_side("scan_order=parallel", study.store)
    (group,) = pair_power((side, other), pairs(side, other))
    for cell in group.cells:
        assert (cell.standard_error, cell.detectable(), cell.images_for(0.005)) == (None,) * 3
    text = power_text("A, B", [group], Claim(0.005, 0.8))
    assert "not known" in text and "enough" not in text


def test_equal_rows_do_not_make_the_others_seem_finer(tmp_path):
    study = simulated_study(tmp_path)
    (group,) = study_power(study.analysis, study.runs, study.store, splits=["val"])
    cell = group.cells[0]
    equal = replace(cell.pairs[0], standard_error=0.0)
    more = replace(cell, pairs=(*cell.pairs, *[equal] * 9))
    assert more.standard_error == cell.standard_error > 0


def test_expressions_of_an_image_count_as_less_than_as_many_independent_ones(tmp_path):
    """Three expressions an image, which are alike in these data."""
    study = simulated_study(tmp_path)
    side, other = (find_side(f"scan_order={o}", study.store) for o in ("spatial", "parallel"))
    (group,) = pair_power((side, other), pairs(side, other), splits=["val"], metrics=["mIoU"])
    (pair,) = group.cells[0].pairs
    records = [r for s in (side, other) for r in s.records]
    counts = [CountsFile(r, study.store.counts_path(r)).of("val") for r in records]
    a, b = (c.intersection / c.union for c in counts)
    assert pair.independent_error == pytest.approx(stats.sem(a - b))
    assert pair.standard_error == pytest.approx(stats.sem((a - b).reshape(-1, 3).mean(1)))


def test_an_unknown_split_is_refused_by_name(tmp_path):
    study = simulated_study(tmp_path)
    with pytest.raises(UserError, match="testC"):
        study_power(study.analysis, study.runs, study.store, splits=["testC"])


def test_one_row_has_no_difference(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.4})
    with pytest.raises(UserError, match="no two scored rows") as refused:
        study_power(study.analysis, study.runs, study.store)
    assert refused.value.exit_code == 3
