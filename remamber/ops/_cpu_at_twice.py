"""CPU kernels that add up the nine products of a 3x3 convolution at twice a map's resolution.

A *product* is a map times one tap of the kernel, at the map's own resolution: interpolation and
the product with a tap commute. ``team_gather`` enlarges the nine products, shifts each to its
place and adds them up; ``team_spread`` is its transpose. An enlarged row reads two rows of a
product, and a row of a product is read by a few enlarged ones: which, and with what weights, the
tables say.

The table of ``_cpu_table``: slot 0 holds the sizes below; 1 products (b, h, w, 9, c), 2 the
enlarged map (b, 2h, 2w, pitch), 3 bias (c). Slots 4 and 5 are the first row that each row reads
for each of three taps, and its weights; 6 and 7 the same of columns.
"""

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from remamber.ops._cpu_compile import Floats, Index, exactly
from remamber.ops._cpu_directional_table import HALF_LANES, MOST_LANES, NOTHING, aligned
from remamber.ops._cpu_table import Table, floats, index, size, team_size, thread_number
from remamber.ops._cpu_vector import Vector, store
from remamber.ops._cpu_wide import half, lanes_of, load_lanes, load_some, store_some, wide

SAMPLES, HEIGHT, WIDTH, CHANNELS, PITCH, REACH = range(6)
"""The sizes b h w c; elements from one enlarged pixel to the next; how many a row is read by."""
PRODUCTS, ENLARGED, BIAS, FIRST_ROWS, ROW_WEIGHTS, FIRST_COLUMNS, COLUMN_WEIGHTS = range(1, 8)
_TAPS, _READ, _ROWS = index(3), index(2), index(8)
"""Of a kernel's side; rows that an enlarged one reads; enlarged rows of a task."""
_ONE, _TWO = index(1), index(2)


@exactly
def _places(table: Table, slot: int) -> Index:
    return carray(table[slot], 1 << 62, np.uint64)


def team_gather(table: Table) -> None:
    """Enlarge and add this thread's rows; compiled as a C function."""
    rows = _TWO * size(table, HEIGHT)
    strips = (rows + _ROWS - _ONE) // _ROWS
    sums = aligned(size(table, WIDTH) * _TAPS * MOST_LANES)
    for task in range(index(thread_number()), size(table, SAMPLES) * strips, index(team_size())):
        sample, first = task // strips, task % strips * _ROWS
        for row in range(first, min(first + _ROWS, rows)):
            for channel in range(index(0), size(table, CHANNELS), MOST_LANES):
                if size(table, CHANNELS) - channel > HALF_LANES:
                    _gather_row(table, sums, sample, row, channel, wide(NOTHING))
                else:
                    _gather_row(table, sums, sample, row, channel, half(NOTHING))


@exactly
def _gather_row(
    table: Table, sums: Floats, sample: Index, row: Index, channel: Index, zero: Vector
) -> None:
    h, w, c = size(table, HEIGHT), size(table, WIDTH), size(table, CHANNELS)
    lanes = lanes_of(zero)
    count = min(lanes, c - channel)
    products, first, weight = (
        floats(table, PRODUCTS),
        _places(table, FIRST_ROWS),
        floats(table, ROW_WEIGHTS),
    )
    pixel = _TAPS * _TAPS * c
    for column in range(w):
        for across in range(_TAPS):
            total = zero
            for down in range(_TAPS):
                tap = row * _TAPS + down
                start = ((sample * h + first[tap]) * w + column) * pixel
                start += (down * _TAPS + across) * c + channel
                total = total + weight[tap * _READ] * load_some(products, start, count, zero)
                below = load_some(products, start + w * pixel, count, zero)
                total = total + weight[tap * _READ + _ONE] * below
            store(sums, (column * _TAPS + across) * lanes, total)
    _gather_columns(table, sums, (sample * _TWO * h + row) * _TWO * w, channel, zero)


@exactly
def _gather_columns(table: Table, sums: Floats, pixel: Index, channel: Index, zero: Vector) -> None:
    lanes = lanes_of(zero)
    count, pitch = min(lanes, size(table, CHANNELS) - channel), size(table, PITCH)
    first, weight = _places(table, FIRST_COLUMNS), floats(table, COLUMN_WEIGHTS)
    enlarged = floats(table, ENLARGED)
    bias = load_some(floats(table, BIAS), channel, count, zero)
    for column in range(_TWO * size(table, WIDTH)):
        total = bias
        for across in range(_TAPS):
            tap = column * _TAPS + across
            start = (first[tap] * _TAPS + across) * lanes
            total = total + weight[tap * _READ] * load_lanes(sums, start, zero)
            total = total + weight[tap * _READ + _ONE] * load_lanes(
                sums, start + _TAPS * lanes, zero
            )
        store_some(enlarged, (pixel + column) * pitch + channel, count, total)


def team_spread(table: Table) -> None:
    """The products' gradients of this thread's rows; compiled as a C function."""
    rows = size(table, HEIGHT)
    sums = aligned(_TWO * size(table, WIDTH) * MOST_LANES)
    for task in range(index(thread_number()), size(table, SAMPLES) * rows, index(team_size())):
        for channel in range(index(0), size(table, CHANNELS), MOST_LANES):
            if size(table, CHANNELS) - channel > HALF_LANES:
                _spread_row(table, sums, task, channel, wide(NOTHING))
            else:
                _spread_row(table, sums, task, channel, half(NOTHING))


@exactly
def _spread_row(table: Table, sums: Floats, task: Index, channel: Index, zero: Vector) -> None:
    h, columns = size(table, HEIGHT), _TWO * size(table, WIDTH)
    lanes, reach = lanes_of(zero), size(table, REACH)
    count = min(lanes, size(table, CHANNELS) - channel)
    pitch = size(table, PITCH)
    first, weight = _places(table, FIRST_ROWS), floats(table, ROW_WEIGHTS)
    enlarged = floats(table, ENLARGED)
    for down in range(_TAPS):
        tap = task % h * _TAPS + down
        start = ((task // h * _TWO * h + first[tap]) * columns) * pitch + channel
        for column in range(columns):
            total = zero
            for row in range(reach):
                place = start + (row * columns + column) * pitch
                total = total + weight[tap * reach + row] * load_some(enlarged, place, count, zero)
            store(sums, column * lanes, total)
        _spread_columns(table, sums, task, down, channel, zero)


@exactly
def _spread_columns(
    table: Table, sums: Floats, task: Index, down: Index, channel: Index, zero: Vector
) -> None:
    w, c, reach = size(table, WIDTH), size(table, CHANNELS), size(table, REACH)
    lanes = lanes_of(zero)
    first, weight = _places(table, FIRST_COLUMNS), floats(table, COLUMN_WEIGHTS)
    products = floats(table, PRODUCTS)
    for column in range(w):
        for across in range(_TAPS):
            tap = column * _TAPS + across
            total = zero
            for place in range(reach):
                at = (first[tap] + place) * lanes
                total = total + weight[tap * reach + place] * load_lanes(sums, at, zero)
            at = ((task * w + column) * _TAPS * _TAPS + down * _TAPS + across) * c + channel
            store_some(products, at, min(lanes, c - channel), total)
