"""Sums over rings and sides: exact for maps that are made by hand."""

import numpy as np
import pytest

from remamber.tasks._gradient_energy import REGIONS, Geometry

SIDE, BLOCK, MARGIN, CELLS = 32, 4, 2, 8


@pytest.fixture
def geometry():
    return Geometry(SIDE, block=BLOCK, margin=MARGIN, cells=CELLS)


def regions(geometry, energy):
    found = geometry.sums(energy[None]).regions[0]
    return dict(zip(REGIONS, found, strict=True))


def test_an_even_map_has_no_direction(geometry):
    found = regions(geometry, np.ones((SIDE, SIDE)))
    far = found["far"]
    assert found["outside"] == pytest.approx(1 - BLOCK**2 / SIDE**2)
    assert far == pytest.approx(1 - (BLOCK + 2 * MARGIN) ** 2 / SIDE**2)
    for side in ("above", "left", "across"):
        assert found[side] == pytest.approx(far / 2)
    assert found["band"] == pytest.approx(found["band_even"])
    assert found["down"] == pytest.approx(0)


def test_energy_in_one_pixel_is_where_it_is(geometry):
    energy = np.zeros((SIDE, SIDE))
    energy[3, 16] = 7.0
    found = geometry.sums(energy[None])
    named = dict(zip(REGIONS, found.regions[0], strict=True))
    assert {k: named[k] for k in ("outside", "far", "above", "band")} == dict.fromkeys(
        ("outside", "far", "above", "band"), 1.0
    )
    assert (named["left"], named["across"]) == (0, 0)
    assert (named["down"], named["right"]) == (-12.5, 0.5)
    assert np.flatnonzero(found.rings[0]).tolist() == [int(np.hypot(12.5, 0.5))]
    assert found.maps[0, 0, 4] == 1


def test_energy_near_the_middle_is_neither_far_nor_outside(geometry):
    energy = np.zeros((SIDE, SIDE))
    energy[15:17, 15:17] = 1
    found = regions(geometry, energy)
    assert (found["outside"], found["far"], found["band"]) == (0, 0, 0)
    energy[:] = 0
    energy[12, 16] = 1
    found = regions(geometry, energy)
    assert (found["outside"], found["far"]) == (1, 0)


def test_a_cross_has_more_in_its_own_rows_and_columns_than_at_the_same_distances(geometry):
    energy = np.zeros((SIDE, SIDE))
    energy[14:18] = energy[:, 14:18] = 1
    found = regions(geometry, energy)
    assert found["band"] == pytest.approx(found["far"])
    assert found["band"] > 2 * found["band_even"]
    assert found["across"] == pytest.approx(found["far"] / 2)


def test_rows_alone_lie_across(geometry):
    energy = np.zeros((SIDE, SIDE))
    energy[16] = 1
    found = regions(geometry, energy)
    assert found["across"] == pytest.approx(found["far"])
    assert found["above"] == 0


def test_every_map_counts_as_one_whatever_its_size(geometry):
    maps = np.random.default_rng(0).random((3, SIDE, SIDE))
    found, scaled = geometry.sums(maps), geometry.sums(maps * [[[1e-9]], [[1.0]], [[1e9]]])
    np.testing.assert_allclose(found.rings.sum(1), 1)
    np.testing.assert_allclose(found.maps.sum((1, 2)), 1)
    np.testing.assert_allclose(found.regions, scaled.regions)


def test_a_map_of_nothing_stays_nothing(geometry):
    found = geometry.sums(np.zeros((1, SIDE, SIDE)))
    assert not any(part.any() for part in found)
