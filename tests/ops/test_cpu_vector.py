import numpy as np
import pytest
from numba import njit

from remamber.ops import _cpu_vector as vector
from remamber.ops._cpu_transpose import sum_each, transpose, transpose_in, transpose_out

AT = np.uint64
BLOCK = np.arange(256, dtype=np.float32).reshape(16, 16)


@njit
def _turn(target, source, to_pitch, from_pitch):
    transpose(target, AT(0), AT(to_pitch), source, AT(0), AT(from_pitch))


@njit
def _turn_in(tile, source, pitch, rows, columns):
    transpose_in(tile, AT(0), source, AT(0), AT(pitch), AT(rows), AT(columns))


@njit
def _turn_out(target, tile, pitch, rows, columns):
    transpose_out(target, AT(0), AT(pitch), tile, AT(0), AT(rows), AT(columns))


@njit
def _sums(out, source):
    vector.store(out, AT(0), sum_each(source, AT(0)))


@njit
def _arithmetic(out, x):
    a, b = vector.load(x, AT(0)), vector.load(x, AT(16))
    two = np.float32(2)
    vector.store(out, AT(0), (a + two * b - a / two) * b)
    vector.store(out, AT(16), vector.multiply_add(a, two, b))
    first, second, third, fourth = vector.split(vector.load_quad(x, AT(0)))
    vector.store(out, AT(32), first + second + third - fourth)
    vector.store(out, AT(48), vector.split(vector.repeat(b))[3])


@njit
def _choices(out, x):
    a = vector.load(x, AT(0))
    vector.store(out, AT(0), vector.at_least(a, np.float32(1)))
    vector.store(out, AT(16), vector.at_most(a, np.float32(1)))
    vector.store(out, AT(32), vector.where_positive(a, np.float32(7), a))
    vector.store(out, AT(48), vector.absolute(a))


def test_a_block_is_turned_whatever_its_pitch():
    source = np.zeros((16, 19), np.float32)
    source[:, :16] = BLOCK
    target = np.full((16, 23), -1, np.float32)
    _turn(target.ravel(), source.ravel(), 23, 19)
    assert np.array_equal(target[:, :16], BLOCK.T)
    assert (target[:, 16:] == -1).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 16), (16, 5), (15, 15), (16, 16)])
def test_a_part_is_turned_in_with_zeros_and_out_with_nothing_else_touched(rows, columns):
    source = np.arange(1, 1 + rows * columns, dtype=np.float32).reshape(rows, columns)
    tile = np.full((16, 16), np.nan, np.float32)
    _turn_in(tile.ravel(), source.ravel(), columns, rows, columns)
    assert np.array_equal(tile[:columns, :rows], source.T)
    assert tile.sum() == source.sum()
    target = np.full((16, 20), -1, np.float32)
    _turn_out(target.ravel(), np.ascontiguousarray(tile).ravel(), 20, rows, columns)
    assert np.array_equal(target[:rows, :columns], source)
    assert (target == -1).sum() == target.size - source.size


def test_each_vector_is_summed_in_its_place():
    out = np.zeros(16, np.float32)
    _sums(out, BLOCK.ravel())
    assert np.array_equal(out, BLOCK.sum(1))


def test_vectors_calculate_as_arrays_do():
    x = np.arange(1, 65, dtype=np.float32)
    out = np.zeros(64, np.float32)
    _arithmetic(out, x)
    a, b, c, d = x.reshape(4, 16)
    expected = [(a + 2 * b - a / 2) * b, 2 * a + b, a + b + c - d, b]
    assert np.array_equal(out.reshape(4, 16), expected)


def test_a_choice_keeps_nan():
    x = np.resize(np.float32([np.nan, -np.inf, -2, 0.5, 3, np.inf]), 16)
    out = np.zeros(64, np.float32)
    _choices(out, x)
    expected = [np.maximum(x, 1), np.minimum(x, 1), np.where(x > 0, 7, x), abs(x)]
    assert np.array_equal(out.reshape(4, 16), expected, equal_nan=True)


def test_vectors_of_two_widths_do_not_mix():
    @njit
    def mixed(x):
        vector.store(x, AT(0), vector.load(x, AT(0)) + vector.load_quad(x, AT(0)))

    with pytest.raises(Exception, match="No implementation of function"):
        mixed(np.zeros(64, np.float32))
