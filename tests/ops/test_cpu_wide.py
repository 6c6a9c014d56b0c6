import numpy as np
import pytest
from numba import njit

from remamber.ops._cpu_table import index
from remamber.ops._cpu_vector import store
from remamber.ops._cpu_wide import HALF, fold, half, load_lanes, load_some, store_some, wide

WIDTHS = pytest.mark.parametrize("fill", [wide, half], ids=["wide", "half"])
ZERO = np.float32(0)


def _lanes(fill):
    return 2 * HALF if fill is wide else HALF


@WIDTHS
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 1.0])
def test_lanes_that_do_not_exist_are_zero_and_are_not_written(fill, part):
    @njit(error_model="numpy")
    def double(source, target, count):
        loaded = load_some(source, index(3), count, fill(ZERO))
        store_some(target, index(3), count, loaded + loaded)
        return loaded

    @njit(error_model="numpy")
    def run(source, target, seen, count):
        store(seen, index(0), double(source, target, count))

    lanes = _lanes(fill)
    count = int(part * lanes)
    source = np.arange(1, lanes + 9, dtype=np.float32)
    target, seen = np.full(lanes + 8, -1, np.float32), np.empty(lanes, np.float32)
    run(source, target, seen, np.uint64(count))
    there = np.arange(lanes) < count
    assert np.array_equal(seen, np.where(there, source[3 : 3 + lanes], 0))
    assert np.array_equal(target[3 : 3 + lanes], np.where(there, 2 * source[3 : 3 + lanes], -1))
    assert (target[:3] == -1).all() and (target[3 + lanes :] == -1).all()


@WIDTHS
def test_folding_keeps_the_sum_and_leaves_out_lanes_that_do_not_exist(fill):
    @njit(error_model="numpy")
    def run(source, out, count):
        store(out, index(0), fold(load_lanes(source, index(0), fill(ZERO)), count))

    lanes = _lanes(fill)
    source, out = np.arange(lanes, dtype=np.float32), np.empty(16, np.float32)
    run(source, out, np.uint64(lanes))
    assert np.array_equal(out, source.reshape(-1, 16).sum(0))
    source[lanes - 3 :] = np.nan
    run(source, out, np.uint64(lanes - 3))
    assert out.sum() == source[: lanes - 3].sum()
