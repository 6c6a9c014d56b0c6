"""Numbers of feature distributions: known geometry comes out exactly, nothing comes out NaN."""

import numpy as np
import pytest

from remamber.tasks._distribution_basis import fit_basis
from remamber.tasks._distribution_numbers import (
    first_axis_share,
    line_share,
    mean_by_image,
    modality_gap,
    own_neighbours,
    probe_accuracy,
    resampled_images,
)
from remamber.tasks._distribution_points import Points
from remamber.tasks._distribution_similarity import similarity

IMAGES = 40
TIMES = resampled_images(IMAGES, seed=0, draws=200)


def points(values, images=None):
    values = np.asarray(values, dtype=np.float32)
    return Points(values, np.arange(len(values)) % IMAGES if images is None else images)


def cloud(n=200, d=12, *, seed=0, shift=0.0):
    return points(np.random.default_rng(seed).normal(shift, 1, (n, d)))


def cross(centre, size=1.0):
    """Points at one distance from a centre in every direction, twice."""
    eye = size * np.eye(4)
    return np.concatenate([centre + eye, centre - eye] * 2)


def test_the_gap_of_two_crosses_is_their_distance_over_their_size():
    one, other = points(cross(np.zeros(4))), points(cross(np.array([3.0, 0, 0, 4.0])))
    assert modality_gap(one, other, TIMES).value == pytest.approx(5.0, abs=1e-12)
    wide = points(cross(np.array([3.0, 0, 0, 4.0]), size=7.0))
    assert modality_gap(one, wide, TIMES).value == pytest.approx(1.0, abs=1e-12)
    assert modality_gap(one, one, TIMES).value == 0.0


def test_the_gap_far_from_the_origin_is_the_same():
    one, other = points(cross(np.full(4, 1e4))), points(cross(np.array([1e4 + 3, 1e4, 1e4, 1e4])))
    assert modality_gap(one, other, TIMES).value == pytest.approx(3.0, rel=1e-9)


def test_the_gap_of_every_resample_is_that_of_its_points():
    one, other = cloud(90, 3, seed=1), cloud(70, 3, seed=2, shift=0.7)
    found = modality_gap(one, other, TIMES)
    for times, value in zip(TIMES[1:6], found.draws[:5], strict=True):
        a, b = (
            np.repeat(g.values.astype(float), times[g.images].astype(int), axis=0)
            for g in (one, other)
        )
        spread = (a.var(axis=0).sum() + b.var(axis=0).sum()) / 2
        distance = np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))
        assert value == pytest.approx(distance / np.sqrt(spread), rel=1e-9)


def test_points_on_a_line_have_all_variance_on_one_axis_and_a_cross_a_quarter():
    along = np.outer(np.linspace(-3, 5, 80), np.arange(1.0, 7.0)) + 10
    line = line_share(points(along), TIMES, seed=0)
    assert line.value == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(line.draws, 1.0, atol=1e-6)
    assert line_share(points(cross(np.zeros(4))), TIMES, seed=0).value == pytest.approx(0.25)


def test_the_lines_share_turns_its_axis_in_every_resample():
    group = cloud(90, 3, seed=1)
    found = line_share(group, TIMES, seed=0)
    for times, value in zip(TIMES[1:6], found.draws[:5], strict=True):
        drawn = np.repeat(group.values.astype(float), times[group.images].astype(int), axis=0)
        axes = np.linalg.eigvalsh(np.cov(drawn.T, bias=True))
        assert value == pytest.approx(axes[-1] / axes.sum(), rel=1e-9)


def test_the_share_on_the_first_axis_is_of_the_groups_own_variance():
    """The cloud is long along x, the line lies along y: none of it is on the cloud's first axis."""
    long = np.random.default_rng(0).normal(0, 1, (200, 3)) * [50, 1, 1]
    line = np.outer(np.linspace(-1, 1, 200), [0, 1, 0])
    groups = {"image": points(long - long.mean(axis=0)), "text": points(line)}
    basis = fit_basis([group.values for group in groups.values()])
    assert first_axis_share(groups, "text", basis, TIMES).value < 0.001
    assert first_axis_share(groups, "image", basis, TIMES).value > 0.999


@pytest.mark.parametrize("shape", [(300, 7), (40, 200), (700, 600)], ids=str)
def test_the_axes_are_those_of_a_float64_svd_with_their_sign_fixed(shape):
    values = np.random.default_rng(3).normal(size=shape) * np.linspace(3, 1, shape[1]) + 5
    basis = fit_basis([values[:10], values[10:]])
    centred = values - values.mean(axis=0)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    kept = len(basis.axes)
    np.testing.assert_allclose(basis.shares, (size**2 / (size**2).sum())[:kept], rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(basis.axes * axes[:kept], axis=1)), 1, atol=1e-9)
    largest = np.abs(basis.axes).argmax(axis=1)
    assert (basis.axes[np.arange(kept), largest] > 0).all()
    scores = basis.scores(values)
    np.testing.assert_allclose(scores.var(axis=0), (size**2)[:kept] / len(values), rtol=1e-9)


def test_in_pieces_the_axes_are_nearly_the_same():
    generator = np.random.default_rng(4)
    values = (
        generator.normal(size=(3000, 5))
        @ np.diag([9, 5, 3, 1, 0.5])
        @ generator.normal(size=(5, 30))
    )
    values += 0.01 * generator.normal(size=values.shape)
    whole = fit_basis([values])
    pieces = fit_basis([values], whole_bytes=len(values) * 30)
    np.testing.assert_allclose(pieces.shares[:3], whole.shares[:3], rtol=1e-3)
    np.testing.assert_allclose(pieces.axes[:3], whole.axes[:3], atol=1e-2)
    assert not np.array_equal(pieces.axes, whole.axes)


def test_groups_apart_are_told_apart_and_equal_ones_are_not():
    one, other, far = cloud(seed=1), cloud(seed=2), cloud(seed=3, shift=4.0)
    for number in (probe_accuracy, own_neighbours):
        assert number(one, far, TIMES).value == 1.0
        assert number(one, other, TIMES).value == pytest.approx(0.5, abs=0.08)


def test_neighbours_see_a_line_in_a_cloud_that_no_hyperplane_cuts_off():
    line = points(np.outer(np.random.default_rng(5).normal(0, 3, 200), np.ones(12) / 12**0.5))
    half = cloud(100).values
    around = points(np.concatenate([half, -half]))
    assert own_neighbours(line, around, TIMES).value > 0.75
    assert probe_accuracy(line, around, TIMES).value < 0.6


def test_neighbours_of_a_larger_group_count_for_no_more():
    few, many = cloud(100, seed=1), cloud(1000, seed=2)
    assert own_neighbours(few, many, TIMES).value == pytest.approx(0.5, abs=0.06)


def test_neighbours_on_the_same_image_do_not_count():
    """Either group has a cluster of its own on every image: other images tell nothing of it."""
    generator = np.random.default_rng(0)
    images = np.repeat(np.arange(IMAGES), 12)
    places = generator.normal(0, 100, (2, IMAGES, 3))
    one, other = (points(p[images] + generator.normal(0, 1, (480, 3)), images) for p in places)
    assert own_neighbours(one, other, TIMES).value == pytest.approx(0.5, abs=0.15)


def test_the_probe_is_not_asked_about_images_that_it_was_fitted_to():
    """Labels that only an image's own place tells are at chance for images not seen."""
    generator = np.random.default_rng(0)
    images = np.repeat(np.arange(IMAGES), 6)
    places = generator.normal(0, 5, (2, IMAGES, 200))
    one, other = (points(p[images] + generator.normal(0, 0.1, (240, 200)), images) for p in places)
    assert 0.3 < probe_accuracy(one, other, TIMES).value < 0.7


def test_one_image_gives_values_without_resamples_and_nothing_to_test_a_probe_on():
    times = resampled_images(1, seed=0)
    one, other = (points(cross(np.full(4, c)), np.zeros(16, int)) for c in (0.0, 2.0))
    gap = modality_gap(one, other, times)
    assert gap.value == pytest.approx(4.0) and gap.draws is None
    assert line_share(one, times, seed=0).draws is None
    assert probe_accuracy(one, other, times) is None
    assert own_neighbours(one, other, times) is None


def test_constant_features_have_no_axes_and_no_numbers_but_no_error():
    still = points(np.full((40, 5), 2.5))
    assert fit_basis([still.values]) is None
    assert line_share(still, TIMES, seed=0) is None
    assert modality_gap(still, points(np.full((40, 5), 7.0)), TIMES) is None
    assert modality_gap(still, cloud(d=5), TIMES) is not None
    assert probe_accuracy(still, still, TIMES).value == pytest.approx(0.5)
    means = np.full((20, 3), 1.5, dtype=np.float32)
    assert similarity(means, means, np.arange(20) % IMAGES, TIMES) is None


def test_cka_is_one_for_turned_features_and_near_zero_for_unrelated_ones():
    generator = np.random.default_rng(0)
    one = generator.normal(size=(400, 6)).astype(np.float32)
    turn = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    images = np.arange(400) % IMAGES
    turned = similarity(one, (3 * one @ turn + 2).astype(np.float32), images, TIMES)
    assert turned.value == pytest.approx(1.0, abs=1e-5)
    other = generator.normal(size=(400, 6)).astype(np.float32)
    assert similarity(one, other, images, TIMES).value < 0.05


def test_cka_is_the_published_formula_in_every_resample():
    """Kornblith et al. 2019, with features: ||Y'X||^2 / (||X'X|| ||Y'Y||), columns centred."""
    generator = np.random.default_rng(1)
    one, other = (generator.normal(size=(80, d)).astype(np.float32) for d in (4, 7))
    other[:, :2] += one[:, :2]
    images = np.arange(80) % IMAGES
    found = similarity(one, other, images, TIMES)
    values = [found.value, *found.draws[:4]]
    for times, value in zip(TIMES[:5], values, strict=True):
        x, y = (np.repeat(m.astype(float), times[images].astype(int), axis=0) for m in (one, other))
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        expected = np.linalg.norm(y.T @ x) ** 2 / (
            np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
        )
        assert value == pytest.approx(expected, rel=1e-9)


def test_a_resample_draws_as_many_images_and_the_first_is_all_of_them():
    assert (TIMES[0] == 1).all()
    assert (TIMES.sum(axis=1) == IMAGES).all()
    np.testing.assert_array_equal(TIMES, resampled_images(IMAGES, seed=0, draws=200))


def test_a_mean_is_over_expressions_and_its_resamples_over_images():
    values, images = np.array([1.0, 2.0, 6.0]), np.array([0, 0, 1])
    found = mean_by_image(values, images, np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]))
    assert found.value == 3.0
    assert found.draws.tolist() == [1.5, 6.0]
