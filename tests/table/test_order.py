import numpy as np
import pytest
from scipy.stats import kendalltau

from remamber.table.order import kendall_tau, order_agreement


def test_tau_by_hand():
    reference = np.array([1.0, 2.0, 3.0])
    others = np.array([[1.0, 2, 3], [3, 2, 1], [1, 3, 2], [5, 5, 5]])
    assert kendall_tau(reference, others) == pytest.approx([1, -1, 1 / 3, 0])


def test_tau_agrees_with_scipy_ties_included():
    generator = np.random.default_rng(0)
    for _ in range(20):
        a, b = generator.integers(0, 4, (2, 7)).astype(float)
        assert kendall_tau(a, b[None])[0] == pytest.approx(kendalltau(a, b).statistic)


def test_agreement_says_how_often_chance_does_as_well():
    ours = np.array([1.0, 2.0, 3.0])
    agreement = order_agreement([10, 20, 30], ours, np.tile(ours[:, None], 50), "val mIoU")
    assert (agreement.tau, agreement.low, agreement.high) == (1, 1, 1)
    assert agreement.chance == pytest.approx(1 / 6)


def test_unsure_orders_have_a_wide_interval():
    generator = np.random.default_rng(0)
    draws = generator.normal(0, 1, (5, 500))
    agreement = order_agreement([1, 2, 3, 4, 5], draws[:, 0], draws, "val mIoU")
    assert agreement.low < -0.5
    assert agreement.high > 0.5
