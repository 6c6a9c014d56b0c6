import numpy as np
import pytest
import torch
from scan_cases import relative_error

from remamber.ops._cpu_math import exp32, sigmoid32, softplus32

POINTS = torch.linspace(-86, 87, 5001, dtype=torch.float32)


def _over(function, points):
    return torch.tensor([function(np.float32(x)) for x in points.tolist()])


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [(exp32, torch.exp), (softplus32, torch.nn.functional.softplus), (sigmoid32, torch.sigmoid)],
)
def test_relative_error_stays_near_rounding(mine, theirs):
    found, expected = _over(mine, POINTS).double(), theirs(POINTS.double())
    assert ((found - expected) / expected).abs().max() < 4e-6
    near = POINTS.abs() < 8
    assert ((found - expected) / expected)[near].abs().max() < 4e-7


@pytest.mark.parametrize("function", [exp32, softplus32, sigmoid32])
def test_nan_comes_through(function):
    assert np.isnan(function(np.float32(np.nan)))


def test_infinities_have_their_limits():
    plus, minus = np.float32(np.inf), np.float32(-np.inf)
    assert (exp32(plus), exp32(minus)) == (np.inf, 0)
    assert (softplus32(plus), softplus32(minus)) == (np.inf, 0)
    assert (sigmoid32(plus), sigmoid32(minus)) == (1, 0)


def test_beyond_float32_exp_is_infinite_or_zero():
    assert exp32(np.float32(90)) == np.inf
    assert exp32(np.float32(-90)) == 0
    assert relative_error(_over(exp32, POINTS[:1]), POINTS[:1].exp()) < 1e-6
