"""Radii and directions of receptive fields: exact by hand, paired, and what is missing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from remamber.table.receptive import (
    EVEN_HALF,
    EVEN_MOST,
    HALF,
    MOST,
    REGIONS,
    FieldRow,
    difference,
)
from remamber.table.receptive_layout import receptive_tables

SIDE = 64


def row(rings, regions=None, *, key="a", trained=True, side=SIDE):
    rings = np.asarray(rings, dtype=np.float64)
    if regions is None:
        regions = np.zeros((len(rings), len(REGIONS)))
    return FieldRow(
        index=0,
        key=key,
        label=key if trained else f"{key}, initial weights",
        trained=trained,
        records=(),
        rings={"stage 1": rings},
        regions={"stage 1": np.asarray(regions, dtype=np.float64)},
        maps={},
        side=side,
    )


def one_ring(at, images=4, rings=46):
    found = np.zeros((images, rings))
    found[:, at] = 1
    return found


@pytest.mark.parametrize("share", [HALF, MOST])
def test_energy_in_one_ring_has_its_radius_there(share):
    found = row(one_ring(10)).radius("stage 1", share)
    assert found.value == pytest.approx((10 + share) / SIDE)
    assert found.low == found.high == pytest.approx(found.value)


def test_an_even_field_has_the_even_radii():
    away = np.arange(256) + 0.5 - 128
    ring = np.floor(np.hypot(*np.meshgrid(away, away))).astype(int).ravel()
    even = np.bincount(ring)[None] / ring.size
    field = row(np.repeat(even, 3, axis=0), side=256)
    assert field.radius("stage 1", HALF).value == pytest.approx(EVEN_HALF, abs=1e-3)
    assert field.radius("stage 1", MOST).value == pytest.approx(EVEN_MOST, abs=1e-3)


def test_images_that_differ_make_an_interval_around_the_value():
    rings = np.concatenate([one_ring(2, images=20), one_ring(12, images=20)])
    rings[:, 7] += 0.5
    found = row(rings).radius("stage 1", HALF)
    assert found.low < found.value < found.high


def test_differences_are_of_the_same_images():
    """Each image's field is wider by one ring: the difference has no interval at all."""
    rings = np.random.default_rng(0).random((30, 40))
    wider = np.concatenate([np.zeros((30, 1)), rings], axis=1)
    found = difference(row(wider), row(rings), "stage 1", HALF)
    assert found == pytest.approx((1 / SIDE,) * 3)


def test_parts_are_ratios_of_sums_and_none_where_there_is_nothing():
    regions = np.zeros((4, len(REGIONS)))
    regions[:, REGIONS.index("far")] = [0.2, 0.4, 0.2, 0.4]
    regions[:, REGIONS.index("above")] = [0.1, 0.3, 0.1, 0.3]
    field = row(one_ring(3), regions)
    assert field.part("stage 1", "far").value == pytest.approx(0.3)
    assert field.part("stage 1", "above", of="far").value == pytest.approx(2 / 3)
    assert field.part("stage 1", "band", of="band_even") is None


def results(*rows):
    pairs = tuple((one, two) for one in rows for two in rows if one.trained > two.trained)
    return SimpleNamespace(rows=rows, maps=("stage 1",), pairs=pairs)


def test_tables_hold_a_row_for_trained_and_initial_weights_and_their_difference():
    made = receptive_tables(results(row(one_ring(4)), row(one_ring(9), trained=False)))
    tables = {table.name: table for table in made}
    assert [r.label for r in tables["radius"].rows] == ["a", "a, initial weights"]
    assert tables["training"].rows[0].cells[0].value == pytest.approx(-5 / SIDE)
    assert tables["direction"].rows[0].cells[0].status == "not-measured"


def test_without_initial_weights_there_is_no_table_of_training():
    assert [t.name for t in receptive_tables(results(row(one_ring(4))))] == ["radius", "direction"]


def test_a_map_that_ends_within_two_cells_is_named_under_the_table_of_directions():
    regions = np.zeros((4, len(REGIONS)))
    regions[:, REGIONS.index("far")] = 0.2
    one = row(one_ring(4))
    two = replace(
        one,
        rings={**one.rings, "logits": one_ring(4)},
        regions={**one.regions, "logits": regions},
    )
    told = SimpleNamespace(rows=(two,), maps=("stage 1", "logits"), pairs=())
    made = {table.name: table for table in receptive_tables(told)}["direction"]
    assert {column.group for column in made.columns} == {"logits"}
    assert made.note == "Not in it: stage 1, where the image ends there."
