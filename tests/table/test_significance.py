import pytest
from hypothesis import given
from hypothesis import strategies as st

from remamber.table.significance import (
    detectable_difference,
    holm,
    seed_interval,
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


def test_more_power_and_more_comparisons_need_a_larger_difference():
    assert detectable_difference(1.0, power=0.9) == pytest.approx(1.95996 + 1.28155, rel=1e-4)
    # Ten comparisons share the 5 %: the quantile of 0.5 %, two-sided, is 2.80703.
    assert detectable_difference(1.0, comparisons=10) == pytest.approx(2.80703 + 0.84162, rel=1e-4)
