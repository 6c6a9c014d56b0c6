import numpy as np
import pytest
import torch
from numba import njit

from remamber.ops import _cpu_exponential as exponential
from remamber.ops._cpu_vector import load_quad, store

POINTS = np.linspace(-86, 88, 64 * 400, dtype=np.float32)


def _over_quads(function):
    @njit
    def run(points, out):
        for at in range(np.uint64(0), np.uint64(len(points)), np.uint64(64)):
            store(out, at, function(load_quad(points, at)))

    def over(points):
        out = np.empty_like(points)
        run(points, out)
        return torch.from_numpy(out)

    return over


def _slope(x):
    return exponential.softplus_and_slope(x)[1]


def _exp2(x):
    return exponential.exp2(x)


def _softplus(x):
    return exponential.softplus(x)


FUNCTIONS = [
    (_exp2, torch.exp2),
    (_softplus, torch.nn.functional.softplus),
    (_slope, torch.sigmoid),
]
VECTORS = {mine: _over_quads(njit(forceinline=True)(mine)) for mine, _ in FUNCTIONS}
SCALARS = {mine: njit(mine) for mine, _ in FUNCTIONS}


@pytest.mark.parametrize(("mine", "theirs"), FUNCTIONS)
def test_relative_error_stays_near_rounding(mine, theirs):
    found, expected = VECTORS[mine](POINTS).double(), theirs(torch.from_numpy(POINTS).double())
    error = ((found - expected) / expected).abs()
    assert error.max() < 4e-6
    assert error[np.abs(POINTS) < 8].max() < 6e-7


@pytest.mark.parametrize(("mine", "theirs"), FUNCTIONS)
def test_a_scalar_gives_the_bits_of_a_lane(mine, theirs):
    lanes = VECTORS[mine](POINTS)[:640:7]
    assert [SCALARS[mine](x) for x in POINTS[:640:7]] == lanes.tolist()


@pytest.mark.parametrize(("mine", "theirs"), FUNCTIONS)
def test_nan_and_the_infinities_come_through(mine, theirs):
    points = np.resize(np.float32([np.nan, np.inf, -np.inf, 0, -np.nan]), 64)
    expected = theirs(torch.from_numpy(points))
    torch.testing.assert_close(VECTORS[mine](points), expected, equal_nan=True)


def test_beyond_float32_powers_are_infinite_or_zero():
    power = SCALARS[_exp2]
    assert [power(np.float32(x)) for x in (128, 500, 1e30)] == [np.inf] * 3
    assert [power(np.float32(x)) for x in (-127, -500, -1e30)] == [0] * 3


def test_zero_is_exact():
    assert SCALARS[_exp2](np.float32(0)) == 1
    assert SCALARS[_slope](np.float32(0)) == 0.5
