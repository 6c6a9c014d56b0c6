"""How well a map finds a target: hand-made maps whose scores are known exactly."""

import numpy as np
import pytest

from remamber.datasets import Expression, Referent
from remamber.errors import UserError
from remamber.plan.look import AttentionSpec
from remamber.tasks._map_pictures import chosen
from remamber.tasks._map_scores import cell_shares, densities, energy_inside, scored
from remamber.tasks._scoring import Item


def target_of(rows, columns, size=(8, 8)):
    mask = np.zeros(size, dtype=np.bool_)
    mask[rows, columns] = True
    return mask


CORNER = target_of(slice(0, 4), slice(0, 2))
"""An eighth of the image, and whole cells of a grid of 4 by 4."""


def scores(one, shares):
    return scored(np.asarray(one, dtype=float)[None], shares[None])


def test_a_map_that_is_the_target_has_all_its_energy_inside():
    shares = cell_shares(CORNER, (4, 4))
    found = scores(shares, shares)
    assert (found.energy[0], found.pointing[0], found.rank[0], found.best[0]) == (1, 1, 1, 1)
    # Sign and scale of a map mean nothing, its order does.
    assert scores(3 * shares - 7, shares).energy[0] == 1
    turned = scores(-shares, shares)
    assert (turned.energy[0], turned.pointing[0], turned.rank[0]) == (0, 0, 0)


@pytest.mark.parametrize("value", [0.0, -4.0, 0.1])
def test_a_map_that_is_the_same_everywhere_scores_chance(value):
    shares = cell_shares(CORNER, (4, 4))
    noise = 1e-9 * value * np.random.default_rng(0).standard_normal((4, 4))
    found = scores(value + noise, shares)
    assert found.energy[0] == pytest.approx(1 / 8, abs=1e-15)
    assert found.pointing[0] == pytest.approx(1 / 8, abs=1e-15)
    assert found.rank[0] == 0.5


def test_cells_are_covered_by_their_area_also_where_pixels_straddle_them():
    shares = cell_shares(target_of(slice(0, 3), slice(0, 5), size=(6, 10)), (2, 4))
    np.testing.assert_allclose(shares, [[1, 1, 0, 0], [0, 0, 0, 0]])
    uneven = cell_shares(target_of(slice(1, 3), slice(2, 7), size=(5, 9)), (2, 4))
    assert uneven.mean() == pytest.approx(10 / 45)
    # The first cell is 2.5 by 2.25 pixels, of which the target has 1.5 by 0.25.
    assert uneven[0, 0] == pytest.approx(1.5 * 0.25 / (2.5 * 2.25))


def test_a_coarse_grid_limits_what_can_be_reached():
    shares = cell_shares(CORNER, (2, 2))
    found = scores([[5.0, 0], [0, 0]], shares)
    assert found.energy[0] == found.pointing[0] == found.best[0] == 0.5


def test_scores_by_hand():
    shares = np.array([[1.0, 0.0], [0.5, 0.0]])
    found = scores([[4.0, 2.0], [3.0, 1.0]], shares)
    # Less the smallest value the map is 3 1 2 0.
    assert found.energy[0] == pytest.approx((3 * 1 + 2 * 0.5) / 6)
    assert found.pointing[0] == 1.0
    # Inside: 4 whole and 3 half; outside: 2 whole, 3 half and 1 whole.
    pairs = 1.0 * 2.5 + 0.5 * (2.0 + 0.5 * 0.5)
    assert found.rank[0] == pytest.approx(pairs / (1.5 * 2.5))
    np.testing.assert_allclose(
        densities(np.array([[[4.0, 2], [3, 1]]]))[0], [[2, 2 / 3], [4 / 3, 0]]
    )


def test_several_largest_cells_share_the_pointing():
    shares = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert scores([[2.0, 2], [0, 0]], shares).pointing[0] == 0.5


def test_no_target_and_a_target_everywhere_have_no_rank():
    for shares in (np.zeros((2, 2)), np.ones((2, 2))):
        found = scores([[1.0, 2], [3, 4]], shares)
        assert np.isnan(found.rank[0])
        assert energy_inside(np.array([[[1.0, 2], [3, 4]]]), shares[None])[0] == shares[0, 0]


def items_of_areas(areas, images=None):
    images = images or range(len(areas))
    items = []
    for i, image in enumerate(images):
        ref = Referent(i, image, (i,), "thing", "val", (Expression(10 + i, f"thing {i}"),))
        items.append(Item(i, ref, ref.expressions[0], ref.expressions[0].text))
    return items


def ids(items):
    return [item.expression.sent_id for item in items]


def test_pictures_are_evenly_spaced_by_area_and_of_different_images():
    areas = np.array([0.5, 0.1, 0.0, 0.4, 0.2, 0.3, 0.6, 0.7, 0.8])
    wish = AttentionSpec(pictures=4)
    # By area 1 4 5 3 0 6 7 8, of which those in the middle of each quarter.
    assert ids(chosen(items_of_areas(areas), areas, wish)) == [14, 13, 16, 18]
    same = items_of_areas(areas, images=[0, 1, 2, 3, 4, 5, 6, 7, 6])
    assert ids(chosen(same, areas, wish)) == [14, 13, 16, 17]


def test_one_image_is_shown_once_and_an_empty_target_never():
    areas = np.array([0.0, 0.2, 0.3])
    assert ids(chosen(items_of_areas(areas, images=[0, 1, 1]), areas, AttentionSpec())) == [11]
    assert chosen(items_of_areas(areas[:1]), areas[:1], AttentionSpec()) == []


def test_a_sentence_that_is_not_there_is_named():
    areas = np.array([0.1, 0.2])
    wish = AttentionSpec(shown=(11,))
    assert ids(chosen(items_of_areas(areas), areas, wish)) == [11]
    with pytest.raises(UserError, match="no sentence 99"):
        chosen(items_of_areas(areas), areas, AttentionSpec(shown=(99,)))
