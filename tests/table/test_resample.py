import numpy as np
import pytest
from numpy.testing import assert_allclose

from remamber.table.counts import ExpressionCounts
from remamber.table.resample import (
    image_sums,
    metric_values,
    percentile_interval,
    resampled_images,
    resampled_values,
)


def counts(image, intersection, union):
    n = len(image)
    key = np.stack([np.array(image), np.arange(n), np.arange(n)], axis=1).astype(np.int64)
    union = np.array(union, dtype=np.int64)
    return ExpressionCounts(key, np.array(intersection, dtype=np.int64), union, target=union)


TINY = counts([1, 1, 2], [1, 1, 8], [2, 4, 8])


def test_metrics_by_hand_where_mean_and_overall_iou_differ():
    values = metric_values(image_sums([TINY], ["mIoU", "oIoU", "Pr@50"]))
    assert_allclose(values[0], [(0.5 + 0.25 + 1) / 3, 10 / 14, 1 / 3])


def test_terms_are_summed_by_image():
    sums = image_sums([TINY], ["mIoU", "oIoU"])
    assert_allclose(sums.numerator[0], [[0.75, 1.0], [2, 8]])
    assert_allclose(sums.denominator[0], [[2, 1], [6, 8]])


def test_a_resample_takes_all_expressions_of_an_image_with_it():
    sums = image_sums([TINY], ["mIoU", "oIoU"])
    times = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    values = resampled_values(sums, times)
    assert_allclose(values[0, 0], [0.375, 1.0, 1.75 / 3])
    assert_allclose(values[0, 1], [2 / 6, 1.0, 10 / 14])


def test_every_resample_draws_as_many_images_as_there_are():
    times = resampled_images(17, draws=50, generator=np.random.default_rng(0))
    assert times.shape == (50, 17)
    assert (times.sum(axis=1) == 17).all()
    assert len({tuple(row) for row in times}) == 50


def test_empty_unions_count_as_zero_and_never_divide_by_zero():
    empty = counts([1, 2], [0, 0], [0, 0])
    sums = image_sums([empty], ["mIoU", "oIoU", "Pr@50"])
    assert_allclose(metric_values(sums), 0)
    times = resampled_images(2, draws=20, generator=np.random.default_rng(0))
    assert_allclose(resampled_values(sums, times), 0)


def test_percentile_interval_by_hand():
    interval = percentile_interval(np.arange(101.0)[None])
    assert_allclose((interval.low[0], interval.high[0]), (2.5, 97.5))


def simulated(generator, *, images=60, per_image=4):
    """Expressions on one image share most of their difficulty; the true mean IoU is 0.5."""
    image = np.repeat(np.arange(images), per_image)
    iou = 0.5 + generator.normal(0, 0.15, images)[image] + generator.normal(0, 0.05, len(image))
    union = np.full(len(image), 10_000)
    return counts(image, np.clip(iou, 0, 1) * union, union)


@pytest.mark.parametrize(("clustered", "low", "high"), [(True, 0.89, 0.985), (False, 0.3, 0.85)])
def test_the_interval_covers_the_truth_only_if_images_stay_together(clustered, low, high):
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(250):
        drawn = simulated(generator)
        if not clustered:
            drawn.key[:, 0] = np.arange(len(drawn.key))
        sums = image_sums([drawn], ["mIoU"])
        times = resampled_images(sums.numerator.shape[-1], draws=300, generator=generator)
        interval = percentile_interval(resampled_values(sums, times)[0, 0])
        covered += interval.low <= 0.5 <= interval.high
    assert low < covered / 250 < high
