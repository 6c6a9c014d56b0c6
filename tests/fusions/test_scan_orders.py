"""The five scan orderings as arithmetic: which part reads what, and what is added."""

import pytest

from remamber.fusions._scan_order import parts_of
from remamber.registry import SCAN_ORDERS

PARTS = {"channel": lambda x: x + 3, "spatial": lambda x: 2 * x, "project": lambda x: 5 * x}
"""Three maps that do not commute, so that every order of them gives another number."""

OF_ONE = {
    "channel": 5 * (1 + 3),
    "spatial": 2 * 1,
    "parallel": 2 * 1 + 5 * (1 + 3),
    "spatial-channel": 2 * 1 + 3,
    "channel-spatial": 2 * (1 + 3),
}


def test_every_ordering_is_held_to_its_formula():
    assert set(OF_ONE) == set(SCAN_ORDERS.names())


@pytest.mark.parametrize("name", OF_ONE)
def test_an_ordering_applies_its_scans_in_the_order_of_its_name(name):
    order = SCAN_ORDERS.get(name)
    assert order(1, **{part: PARTS[part] for part in parts_of(order)}) == OF_ONE[name]
