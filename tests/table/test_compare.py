import numpy as np
import pytest
from simulated_study import drawn

from remamber.errors import UserError
from remamber.table.compare import RowCounts, compare
from remamber.table.counts import ExpressionCounts


def expressions(fields):
    key = np.stack([fields["image_id"], fields["ref_id"], fields["sent_id"]], axis=1)
    union = fields["union"]
    return ExpressionCounts(key, fields["intersection"], union, target=union)


def row(label, skill, *, seeds=(0,), images=60):
    number = sum(map(ord, label))
    return RowCounts(
        label=label,
        seeds=seeds,
        counts=tuple(
            expressions(drawn("val", skill=skill, seed=seed, images=images, row=number))
            for seed in seeds
        ),
    )


def of_ious(label, ious, *, images=None):
    n = len(ious)
    number = np.arange(n) if images is None else np.array(images)
    key = np.stack([number, np.arange(n), np.arange(n)], axis=1)
    union = np.full(n, 100)
    return RowCounts(
        label=label,
        seeds=(0,),
        counts=(ExpressionCounts(key, np.array(ious, dtype=np.int64), union, target=union),),
    )


def compared(rows, metrics=("mIoU",), seed=0):
    return compare(rows, metrics, generator=np.random.default_rng(seed))


def test_differences_are_row_minus_best_by_hand():
    result = compared([of_ious("a", [10, 30]), of_ious("b", [50, 50]), of_ious("c", [40, 20])])
    assert result.rows[result.best[0]] == "b"
    assert result.difference[:, 0] == pytest.approx([-0.3, 0.0, -0.2])


def test_a_constant_difference_has_no_spread_although_the_rows_have():
    ious = np.arange(10, 60)
    result = compared([of_ious("a", ious), of_ious("b", ious + 5)])
    assert result.interval is not None
    assert result.difference_interval is not None
    assert result.interval.high[0, 0] - result.interval.low[0, 0] > 0.05
    assert result.difference_interval.low[0, 0] == pytest.approx(-0.05)
    assert result.difference_interval.high[0, 0] == pytest.approx(-0.05)


def test_the_paired_standard_error_is_smaller_on_correlated_rows():
    result = compared([row("a", 0.40), row("b", 0.41)])
    worse = 1 - result.best[0]
    unpaired = np.hypot(*result.draws[:, 0].std(axis=-1, ddof=1))
    assert result.standard_error[worse, 0] < 0.5 * unpaired


def test_a_clear_difference_has_no_dagger_and_a_small_one_has():
    result = compared([row("low", 0.30), row("near", 0.428), row("high", 0.43)], seed=3)
    tied = [result.is_tied(r, 0) for r in range(3)]
    assert not tied[0]
    assert sorted(tied[1:]) == [False, True]
    assert not tied[int(result.best[0])]


def test_identical_rows_are_tied():
    result = compared([of_ious("a", [10, 90, 40]), of_ious("b", [10, 90, 40])])
    assert result.is_best(0, 0)
    assert result.is_tied(1, 0)


def test_holm_makes_more_rows_harder_to_tell_apart():
    rows = [row("best", 0.43)] + [row(f"r{i}", 0.42 - 0.0001 * i) for i in range(6)]
    few, many = compared(rows[:2]), compared(rows)
    assert many.p[1, 0] > few.p[1, 0]


def test_the_test_rejects_equal_rows_about_one_time_in_twenty():
    generator = np.random.default_rng(5)
    rejected = 0
    for _ in range(300):
        shared = generator.normal(50, 15, 60)
        pair = [
            of_ious(name, np.clip(shared + generator.normal(0, 6, 60), 0, 100)) for name in "ab"
        ]
        result = compare(pair, ["mIoU"], generator=generator, draws=400)
        rejected += not result.is_tied(1 - int(result.best[0]), 0)
    assert 0.02 < rejected / 300 < 0.09


def test_a_rows_value_is_the_mean_over_its_seeds():
    both = compared([row("a", 0.4, seeds=(0, 1))])
    each = [compared([row("a", 0.4, seeds=(seed,))]).value[0, 0] for seed in (0, 1)]
    assert both.value[0, 0] == pytest.approx(np.mean(each))
    assert both.by_seed["a"][1][0] == pytest.approx(each[1])


def test_rows_on_other_expressions_are_refused_by_name():
    with pytest.raises(UserError, match="same expressions") as refused:
        compared([row("a", 0.4, images=60), row("b", 0.4, images=59)])
    assert any("b, seed 0" in line for line in refused.value.where)


def test_one_image_has_values_but_no_intervals():
    result = compared(
        [of_ious("a", [10, 20], images=[1, 1]), of_ious("b", [30, 40], images=[1, 1])]
    )
    assert result.interval is None
    assert result.difference_interval is None
    assert result.value[:, 0] == pytest.approx([0.15, 0.35])


def test_the_same_generator_gives_the_same_numbers():
    first, second = (compared([row("a", 0.4), row("b", 0.42)], seed=9) for _ in range(2))
    assert (first.draws == second.draws).all()
