"""The selective scan for CPUs in numba, backward: gradients from the last tile to the first.

Each tile starts from the state that the forward stored before it and recomputes the others: no
array of b d l n is ever stored. With p_t = exp(delta_t A) h_{t-1} and w_t = delta_t u_t, the
gradient of the state is dh_t = C_t dy_t + exp(delta_{t+1} A) dh_{t+1}, and everything else a sum
of products with it.

After the arguments, the table holds states dy dstates (null if there are none) and the gradients in
the arguments' order: those of B and C one for each block of channels, those of A, D and
delta_bias one for each sample.
"""

import numpy as np

from remamber.ops import _cpu_task as given
from remamber.ops._contract import CHUNK
from remamber.ops._cpu_compile import Doubles, Index, Pointer, exactly, inlined
from remamber.ops._cpu_exponential import LOG2E, exp2, softplus_and_slope
from remamber.ops._cpu_table import (
    Table,
    index,
    pointer,
    pointer_to,
    size,
    team_size,
    thread_number,
)
from remamber.ops._cpu_task import (
    chunks_of,
    lanes_of,
    row_of,
    state_of,
    state_pitch,
    task_of,
    tasks_in,
)
from remamber.ops._cpu_tile import (
    BLOCK,
    FOUR,
    PITCH,
    STEP,
    Place,
    aligned,
    clear,
    copy_lanes,
    release,
    rounded,
    scratch,
    turn_in,
    turn_out,
)
from remamber.ops._cpu_transpose import sum_each
from remamber.ops._cpu_vector import (
    Vector,
    load,
    load_quad,
    multiply_add,
    repeat,
    splat,
    splat_quad,
    split,
    store,
)

_CHUNK, _ONE, _NONE = index(CHUNK), index(1), index(0)
_SLOT_STATES_IN, _SLOT_DY, _SLOT_DSTATES, _SLOT_DU, _SLOT_DDELTA = range(8, 13)
_SLOT_DA, _SLOT_DB, _SLOT_DC, _SLOT_DD, _SLOT_DBIAS = range(13, 18)
_U, _DELTA, _DY, _SLOPE = (index(i) * PITCH for i in range(4))
_DW, _DDELTA, _A, _P = (index(i) * PITCH for i in range(4, 8))
_LANES = index(8) * PITCH
"""Where in the scratch the tiles and the channels' numbers lie."""
_F0, _F1 = np.float32(0), np.float32(1)


def team_backward(table: Table) -> None:
    """Gradients of this thread's tasks; compiled as a C function by ``cpu``."""
    n = size(table, given.STATES)
    kept, sums = scratch(_LANES + STEP + n * STEP), np.empty((n + index(2)) * STEP, np.float64)
    tiles = aligned(kept)
    for task in range(index(thread_number()), tasks_in(table), index(team_size())):
        sample, group, block, first, stop = task_of(table, task)
        for channel in range(first, stop, BLOCK):
            rows = min(BLOCK, stop - channel)
            place = Place(sample, group, channel, rows, _NONE, _NONE)
            _backward_channels(table, tiles, sums, place, block, channel == first)
    release(kept)


@exactly
def _backward_channels(
    table: Table, tiles: Pointer, sums: Doubles, place: Place, block: Index, fresh: bool
) -> None:
    length, n = size(table, given.LENGTH), size(table, given.STATES)
    clear(tiles, _carry(_NONE), n)
    for i in range((n + index(2)) * STEP):
        sums[i] = 0.0
    for back in range(chunks_of(length)):
        start = (chunks_of(length) - _ONE - back) * _CHUNK
        steps = min(_CHUNK, length - start)
        here = Place(place.sample, place.group, place.channel, place.rows, start, steps)
        _backward_tile(table, tiles, sums, here, block, fresh)
    at = place.sample * size(table, given.CHANNELS) + place.channel
    for c in range(place.rows):
        for s in range(n):
            pointer(table, _SLOT_DA)[(at + c) * n + s] = sums[s * STEP + c]
        if size(table, given.HAS_D):
            pointer(table, _SLOT_DD)[at + c] = sums[n * STEP + c]
        if size(table, given.HAS_BIAS):
            pointer(table, _SLOT_DBIAS)[at + c] = sums[(n + _ONE) * STEP + c]


@exactly
def _carry(s: Index) -> Index:
    return _LANES + STEP + s * STEP


@exactly
def _backward_tile(
    table: Table, tiles: Pointer, sums: Doubles, place: Place, block: Index, fresh: bool
) -> None:
    d, length, n = size(table, given.CHANNELS), size(table, given.LENGTH), size(table, given.STATES)
    origin = (place.sample * d + place.channel) * length + place.start
    turn_in(tiles, _U, pointer(table, given.SLOT_U), origin, length, place)
    turn_in(tiles, _DELTA, pointer(table, given.SLOT_DELTA), origin, length, place)
    turn_in(tiles, _DY, pointer(table, _SLOT_DY), origin, length, place)
    _step_sizes(table, tiles, place)
    clear(tiles, _SLOPE + place.steps * STEP, rounded(place.steps) - place.steps)
    for s in range(n):
        _backward_state(table, tiles, sums, place, block, fresh, s)
    _finish(table, tiles, sums, place)
    turn_out(pointer(table, _SLOT_DU), origin, length, tiles, _DW, place)
    turn_out(pointer(table, _SLOT_DDELTA), origin, length, tiles, _DDELTA, place)


@exactly
def _step_sizes(table: Table, tiles: Pointer, place: Place) -> None:
    """Delta after bias and softplus, the softplus's slope, and nothing yet in dw and ddelta."""
    with_softplus, none = size(table, given.SOFTPLUS), splat_quad(_F0)
    bias = lanes_of(tiles, _LANES, table, given.SLOT_BIAS, size(table, given.HAS_BIAS), place)
    for i in range(_NONE, rounded(place.steps) * STEP, FOUR):
        delta, slope = load_quad(tiles, _DELTA + i) + bias, splat_quad(_F1)
        if with_softplus:
            delta, slope = softplus_and_slope(delta)
        store(tiles, _DELTA + i, delta)
        store(tiles, _SLOPE + i, slope)
        store(tiles, _DW + i, none)
        store(tiles, _DDELTA + i, none)


@exactly
def _backward_state(
    table: Table,
    tiles: Pointer,
    sums: Doubles,
    place: Place,
    block: Index,
    fresh: bool,
    s: Index,
) -> None:
    row, n = row_of(table, place, s), size(table, given.STATES)
    B, C = pointer_to(table, given.SLOT_B, row), pointer_to(table, given.SLOT_C, row)
    copy_lanes(tiles, _LANES, pointer(table, given.SLOT_A), place.channel * n + s, n, place.rows)
    A = load(tiles, _LANES)
    _recompute(tiles, A, B, _state_before(table, tiles, place, s), place.steps)
    dh = load(tiles, _carry(s)) + _state_gradient(table, tiles, place, s)
    carry, dA = _reverse(tiles, A, B, C, dh, place.steps)
    store(tiles, _carry(s), carry)
    _add_sums(sums, s, tiles, dA)
    groups = size(table, given.SAMPLES) * size(table, given.GROUPS)
    mine = block * (groups * n * size(table, given.LENGTH)) + row
    _sum_channels(pointer(table, _SLOT_DB), mine, tiles, _A, place.steps, fresh)
    _sum_channels(pointer(table, _SLOT_DC), mine, tiles, _P, place.steps, fresh)


@exactly
def _state_before(table: Table, tiles: Pointer, place: Place, s: Index) -> Vector:
    if place.start == _NONE:
        return splat(_F0)
    at = state_of(table, place, place.start // _CHUNK - _ONE, s)
    states = pointer(table, _SLOT_STATES_IN)
    copy_lanes(tiles, _LANES, states, at, state_pitch(table), place.rows)
    return load(tiles, _LANES)


@exactly
def _state_gradient(table: Table, tiles: Pointer, place: Place, s: Index) -> Vector:
    if not size(table, given.HAS_DSTATES):
        return splat(_F0)
    at = state_of(table, place, place.start // _CHUNK, s)
    dstates = pointer(table, _SLOT_DSTATES)
    copy_lanes(tiles, _LANES, dstates, at, state_pitch(table), place.rows)
    return load(tiles, _LANES)


@exactly
def _recompute(tiles: Pointer, A: Vector, B: Pointer, h: Vector, steps: Index) -> None:
    """The tiles a_t = exp(delta_t A) and p_t = a_t h_{t-1}."""
    decay, whole = repeat(A * LOG2E), steps // index(4) * index(4)
    for t in range(_NONE, whole, index(4)):
        a = exp2(load_quad(tiles, _DELTA + t * STEP) * decay)
        store(tiles, _A + t * STEP, a)
        a0, a1, a2, a3 = split(a)
        h = _advance(tiles, B, t, a0, h)
        h = _advance(tiles, B, t + _ONE, a1, h)
        h = _advance(tiles, B, t + index(2), a2, h)
        h = _advance(tiles, B, t + index(3), a3, h)
    for t in range(whole, steps):
        last = exp2(load(tiles, _DELTA + t * STEP) * (A * LOG2E))
        store(tiles, _A + t * STEP, last)
        h = _advance(tiles, B, t, last, h)


@inlined
def _advance(tiles: Pointer, B: Pointer, t: Index, a: Vector, h: Vector) -> Vector:
    store(tiles, _P + t * STEP, a * h)
    w = load(tiles, _DELTA + t * STEP) * load(tiles, _U + t * STEP)
    return multiply_add(a, h, w * B[t])


@exactly
def _reverse(
    tiles: Pointer, A: Vector, B: Pointer, C: Pointer, dh: Vector, steps: Index
) -> tuple[Vector, Vector]:
    """Walk back from dh; the carry to the tile before, and dA.

    Adds to the tiles dw and ddelta; a becomes each channel's part of dB, p that of dC.
    """
    a, dA = splat(_F1), splat(_F0)
    for back in range(steps):
        t = steps - _ONE - back
        i = t * STEP
        dy, p, delta = load(tiles, _DY + i), load(tiles, _P + i), load(tiles, _DELTA + i)
        dh = multiply_add(a, dh, dy * C[t])
        a = load(tiles, _A + i)
        w, dp = delta * load(tiles, _U + i), dh * p
        store(tiles, _A + i, dh * w)
        store(tiles, _P + i, dy * multiply_add(w, B[t], p))
        store(tiles, _DW + i, multiply_add(dh, B[t], load(tiles, _DW + i)))
        store(tiles, _DDELTA + i, multiply_add(dp, A, load(tiles, _DDELTA + i)))
        dA = multiply_add(dp, delta, dA)
    return a * dh, dA


@exactly
def _sum_channels(
    target: Pointer, first: Index, tiles: Pointer, tile: Index, steps: Index, fresh: bool
) -> None:
    """Add each step's sum over the channels, or write it if nothing is there yet."""
    for t in range(_NONE, steps, BLOCK):
        summed = sum_each(tiles, tile + t * STEP)
        if t + BLOCK <= steps:
            store(target, first + t, summed if fresh else summed + load(target, first + t))
        else:
            store(tiles, _LANES, summed)
            for i in range(steps - t):
                before = _F0 if fresh else target[first + t + i]
                target[first + t + i] = before + tiles[_LANES + i]


@exactly
def _finish(table: Table, tiles: Pointer, sums: Doubles, place: Place) -> None:
    """Gradients of u and delta in the tiles dw and ddelta, and the sums for D and delta_bias."""
    n, has_D = size(table, given.STATES), size(table, given.HAS_D)
    D = lanes_of(tiles, _LANES, table, given.SLOT_D, has_D, place)
    dD, dbias = splat_quad(_F0), splat_quad(_F0)
    for i in range(_NONE, rounded(place.steps) * STEP, FOUR):
        u, dw = load_quad(tiles, _U + i), load_quad(tiles, _DW + i)
        ddelta = (load_quad(tiles, _DDELTA + i) + u * dw) * load_quad(tiles, _SLOPE + i)
        du = dw * load_quad(tiles, _DELTA + i)
        if has_D:
            dy = load_quad(tiles, _DY + i)
            du = du + dy * D
            dD = dD + dy * u
        dbias = dbias + ddelta
        store(tiles, _DW + i, du)
        store(tiles, _DDELTA + i, ddelta)
    _add_sums(sums, n, tiles, _fold(dD))
    _add_sums(sums, n + _ONE, tiles, _fold(dbias))


@inlined
def _fold(quad: Vector) -> Vector:
    x0, x1, x2, x3 = split(quad)
    return (x0 + x1) + (x2 + x3)


@exactly
def _add_sums(sums: Doubles, row: Index, tiles: Pointer, vector: Vector) -> None:
    store(tiles, _LANES, vector)
    for c in range(BLOCK):
        sums[row * STEP + c] += tiles[_LANES + c]
