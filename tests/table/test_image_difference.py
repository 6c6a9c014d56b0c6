import numpy as np
import pytest
from dagger_measure import bootstrap, detection, expressions, false_shares, holm_over_rows, in_use
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from simulated_variants import METRICS, Variant, by_image, split_of, terms_of

from remamber.table.image_difference import image_difference
from remamber.table.resample import ImageSums, metric_values
from remamber.table.row_differences import row_differences

LEAST_SPREAD = Variant(own=(0.04, 0.04, 0.05))


def sums(numerator, denominator):
    """One run, one metric."""
    return ImageSums(*(np.array(p, dtype=float)[None, None] for p in (numerator, denominator)))


def sample(images, variants=2, seed=0):
    generator = np.random.default_rng(seed)
    split = split_of(images, generator)
    return by_image(split, terms_of(split, [Variant()] * variants, generator))


def test_with_one_expression_an_image_it_is_the_paired_t_test():
    generator = np.random.default_rng(3)
    a = generator.normal(0.5, 0.1, 40)
    b = a + generator.normal(0.02, 0.05, 40)
    found = image_difference(sums(a, np.ones(40)), sums(b, np.ones(40)))
    expected = stats.ttest_rel(a, b)
    assert found.p[0] == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert_allclose([found.interval.low[0], found.interval.high[0]], [interval.low, interval.high])
    assert found.standard_error[0] == pytest.approx(stats.sem(a - b))


def test_ratios_of_sums_by_hand():
    # A: 6 of 10, B: 3 of 10.
    found = image_difference(sums([4, 2], [5, 5]), sums([2, 1], [4, 6]))
    assert found.value[0] == pytest.approx(0.3)


@pytest.mark.parametrize("metric", range(len(METRICS)))
def test_the_value_is_the_difference_of_the_metrics(metric):
    a, b = sample(30)
    found = image_difference(a, b)
    assert found.value[metric] == pytest.approx((metric_values(a) - metric_values(b))[0, metric])


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_ends_at_the_true_differences_that_are_just_rejected(seed):
    """By the definition: residuals from two values that are d apart and whose pixels add up."""
    generator = np.random.default_rng(seed)
    below = generator.integers(50, 400, (2, 40)) * np.array([[1.0], [3.0]])
    above = below * generator.uniform(0, 1, (2, 40)) * np.array([[1.0], [0.8]])
    found = image_difference(sums(above[0], below[0]), sums(above[1], below[1]))
    critical = stats.t.ppf(0.975, 39)
    for d, sign in ((found.interval.low[0], 1), (found.interval.high[0], -1)):
        of_a = (above.sum() + d * below[1].sum()) / below.sum()
        residual = (above[0] - of_a * below[0]) - (above[1] - (of_a - d) * below[1])
        assert residual.mean() / stats.sem(residual) == pytest.approx(sign * critical)


@given(st.integers(0, 500), st.integers(2, 40))
def test_p_and_interval_agree(seed, images):
    a, b = sample(images, seed=seed)
    found = image_difference(a, b)
    without_none = (found.interval.low > 0) | (found.interval.high < 0)
    assert ((found.p < 0.05) == without_none).all()
    assert (found.interval.low <= found.value).all()
    assert (found.value <= found.interval.high).all()


@given(st.integers(0, 500))
def test_the_rows_change_places(seed):
    a, b = sample(20, seed=seed)
    there, back = image_difference(a, b), image_difference(b, a)
    assert_allclose(there.value, -back.value, atol=1e-12)
    assert_allclose(there.p, back.p)
    assert_allclose(there.interval.low, -back.interval.high, atol=1e-12)


def test_equal_rows_have_p_one_and_an_interval_of_nothing():
    a, _ = sample(20)
    found = image_difference(a, a)
    assert (found.p == 1).all()
    assert_allclose(found.interval, 0, atol=1e-12)


def test_a_constant_difference_is_bounded_by_itself():
    found = image_difference(
        sums(np.full(20, 3.0), np.full(20, 5.0)), sums(np.ones(20), [5.0] * 20)
    )
    assert_allclose([found.interval.low[0], found.interval.high[0]], 0.4)
    assert found.p[0] < 1e-4


@pytest.mark.parametrize(("differing", "told"), [(5, False), (7, True)])
def test_a_handful_of_images_cannot_tell_what_exchange_could_not(differing, told):
    a = np.zeros(300)
    b = np.where(np.arange(300) < differing, 1.0, 0.0)
    found = image_difference(sums(b, np.ones(300)), sums(a, np.ones(300)))
    assert found.p[0] >= 2.0 ** (1 - differing)
    assert (found.p[0] < 0.05) == told == bool(found.interval.low[0] > 0)


def test_one_image_says_nothing():
    found = image_difference(sums([1], [2]), sums([2], [2]))
    assert found.p[0] == 1
    assert (found.interval.low[0], found.interval.high[0]) == (-1, 1)


def test_a_metric_that_is_not_defined_is_no_difference():
    found = image_difference(sums([0, 0, 0], [0, 0, 0]), sums([0, 0, 0], [0, 0, 0]))
    assert (found.value[0], found.p[0], *np.concatenate(found.interval)) == (0, 1, 0, 0)


def test_several_runs_are_the_mean_of_their_values_whatever_their_number():
    a, b = sample(30)
    c, _ = sample(30, seed=0)
    both = ImageSums(*(np.concatenate(parts) for parts in zip(a, b, strict=True)))
    found = image_difference(both, c)
    expected = metric_values(both).mean(axis=0) - metric_values(c)[0]
    assert_allclose(found.value, expected)


def test_together_is_the_mean_of_the_metrics():
    a, b = sample(30)
    one = image_difference(a, b, together=True)
    assert one.value.shape == (1,)
    assert one.value[0] == pytest.approx(image_difference(a, b).value.mean())
    assert one.standard_error[0] < image_difference(a, b).standard_error.max()


def test_holm_counts_all_pairs():
    rows = sample(40, variants=4)
    values = np.array([metric_values(row)[0] for row in rows])
    best = values.argmax(axis=0)
    found = row_differences(rows, best)
    for metric, chosen in enumerate(best):
        single = [image_difference(row, rows[chosen]).p[metric] for row in rows]
        smallest = int(np.argsort(single)[0])
        assert found.p[smallest, metric] <= min(1.0, 6 * single[smallest]) + 1e-12
        assert (found.p[:, metric] >= np.minimum(single, 1) - 1e-12).all()
        assert found.p[chosen, metric] == 1


# Shares of 400 samples: a true 5 % is above 8 % once in 200 times, a true 12 % below it twice.
@pytest.mark.parametrize(("images", "rows"), [(50, 2), (50, 5), (200, 3)])
def test_equal_rows_keep_their_dagger(images, rows):
    shares = false_shares([Variant()] * rows, images=images, trials=400, found=in_use)
    assert (shares < 0.08).all()


def test_rows_that_differ_on_few_images_keep_their_dagger():
    assert (false_shares([LEAST_SPREAD] * 2, images=60, trials=400, found=in_use) < 0.08).all()


def test_expressions_as_if_independent_fail_the_same_test():
    shares = false_shares([Variant()] * 3, images=100, trials=300, found=expressions)
    assert shares[0] > 0.12


def test_holm_over_the_rows_alone_fails_the_same_test():
    shares = false_shares([Variant()] * 5, images=200, trials=400, found=holm_over_rows)
    assert shares.mean() > 0.06


def test_a_percentile_bootstrap_fails_it_for_sums_of_pixels_on_few_images():
    options = {"images": 30, "trials": 300}
    assert false_shares([Variant()] * 2, found=bootstrap, **options)[2] > 0.07


@pytest.mark.parametrize("metric", range(len(METRICS)))
def test_what_the_power_line_calls_detectable_is_found_four_times_in_five(metric):
    found = detection(images=100, metric=metric, trials=200)
    assert 0.65 < found["power"] < 0.92
    assert found["coverage"] > 0.90
