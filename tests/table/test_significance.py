import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remamber.table.significance import (
    detectable_difference,
    holm,
    seed_interval,
    two_sided_p,
)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_keeps_ties_equal():
    assert holm([0.9, 0.9, 0.2]) == pytest.approx([1.0, 1.0, 0.6])


def test_holm_of_nothing_is_nothing():
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_only_raises_p_and_keeps_their_order(p):
    adjusted = holm(p)
    assert all(b >= a for a, b in zip(p, adjusted, strict=True))
    ranked = [adjusted[i] for i in sorted(range(len(p)), key=lambda i: p[i])]
    assert ranked == sorted(ranked)


def test_p_by_hand():
    draws = np.array([-1.0] * 97 + [1.0] * 2)
    assert two_sided_p(draws) == pytest.approx(2 * 3 / 100)


def test_p_is_never_zero_and_an_exact_tie_is_no_difference():
    assert two_sided_p(np.full(99, 5.0)) == pytest.approx(0.02)
    assert two_sided_p(np.zeros(99)) == 1.0
    assert two_sided_p(np.full(99, 1e-17)) == 1.0


def test_seed_interval_by_hand():
    # Mean 2, sd 1, n 3, t(0.975, 2) = 4.30265.
    interval = seed_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert interval.mean == 2.0
    assert interval.high - 2.0 == pytest.approx(4.30265 / 3**0.5, rel=1e-5)
    assert interval.n == 3


def test_one_seed_has_no_interval():
    assert seed_interval([1.0]) is None


def test_detectable_difference_is_2_8_standard_errors():
    assert detectable_difference(1.0) == pytest.approx(1.95996 + 0.84162, rel=1e-4)
