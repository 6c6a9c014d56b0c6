"""The selective scan for CPUs in numba, forward: 16 channels side by side, step after step.

After the arguments, the table holds y and the states, both written.
"""

from remamber.ops import _cpu_task as given
from remamber.ops._contract import CHUNK
from remamber.ops._cpu_compile import Index, Pointer, exactly, inlined
from remamber.ops._cpu_exponential import LOG2E, exp2, softplus
from remamber.ops._cpu_table import (
    Table,
    index,
    pointer,
    pointer_to,
    size,
    team_size,
    thread_number,
)
from remamber.ops._cpu_task import lanes_of, row_of, state_of, state_pitch, task_of, tasks_in
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
from remamber.ops._cpu_vector import Vector, load, load_quad, multiply_add, repeat, split, store

_CHUNK, _ONE, _NONE = index(CHUNK), index(1), index(0)
_SLOT_Y, _SLOT_STATES_OUT = 8, 9
_DELTA, _W, _Y, _LANES = index(0), PITCH, index(2) * PITCH, index(3) * PITCH
"""Where in the scratch the tiles and the channels' numbers lie."""


def team_forward(table: Table) -> None:
    """Forward scan of this thread's tasks; compiled as a C function by ``cpu``."""
    n = size(table, given.STATES)
    kept = scratch(_LANES + index(2) * n * STEP + STEP)
    tiles = aligned(kept)
    for task in range(index(thread_number()), tasks_in(table), index(team_size())):
        sample, group, _, first, stop = task_of(table, task)
        for channel in range(first, stop, BLOCK):
            _forward_channels(table, tiles, sample, group, channel, min(BLOCK, stop - channel))
    release(kept)


@exactly
def _forward_channels(
    table: Table, tiles: Pointer, sample: Index, group: Index, channel: Index, rows: Index
) -> None:
    length, n = size(table, given.LENGTH), size(table, given.STATES)
    for s in range(n):
        copy_lanes(tiles, _decay(s), pointer(table, given.SLOT_A), channel * n + s, n, rows)
    clear(tiles, _state(n, _NONE), n)
    for start in range(_NONE, length, _CHUNK):
        steps = min(_CHUNK, length - start)
        _forward_tile(table, tiles, Place(sample, group, channel, rows, start, steps))


@exactly
def _decay(s: Index) -> Index:
    return _LANES + STEP + s * STEP


@exactly
def _state(n: Index, s: Index) -> Index:
    return _LANES + STEP + (n + s) * STEP


@exactly
def _forward_tile(table: Table, tiles: Pointer, place: Place) -> None:
    d, length, n = size(table, given.CHANNELS), size(table, given.LENGTH), size(table, given.STATES)
    origin = (place.sample * d + place.channel) * length + place.start
    turn_in(tiles, _W, pointer(table, given.SLOT_U), origin, length, place)
    turn_in(tiles, _DELTA, pointer(table, given.SLOT_DELTA), origin, length, place)
    _step_sizes(table, tiles, place)
    for s in range(n):
        _forward_state(table, tiles, place, s)
    turn_out(pointer(table, _SLOT_Y), origin, length, tiles, _Y, place)


@exactly
def _step_sizes(table: Table, tiles: Pointer, place: Place) -> None:
    """Delta after bias and softplus, w = delta u in the place of u, and y = D u."""
    with_softplus, has_D = size(table, given.SOFTPLUS), size(table, given.HAS_D)
    D = lanes_of(tiles, _LANES, table, given.SLOT_D, has_D, place)
    bias = lanes_of(tiles, _LANES, table, given.SLOT_BIAS, size(table, given.HAS_BIAS), place)
    for i in range(_NONE, rounded(place.steps) * STEP, FOUR):
        u, delta = load_quad(tiles, _W + i), load_quad(tiles, _DELTA + i) + bias
        if with_softplus:
            delta = softplus(delta)
        store(tiles, _DELTA + i, delta)
        store(tiles, _W + i, delta * u)
        store(tiles, _Y + i, u * D if has_D else D)


@exactly
def _forward_state(table: Table, tiles: Pointer, place: Place, s: Index) -> None:
    n, step = size(table, given.STATES), row_of(table, place, s)
    B, C = pointer_to(table, given.SLOT_B, step), pointer_to(table, given.SLOT_C, step)
    decay, h = load(tiles, _decay(s)) * LOG2E, load(tiles, _state(n, s))
    decays, whole = repeat(decay), place.steps // index(4) * index(4)
    for t in range(_NONE, whole, index(4)):
        a0, a1, a2, a3 = split(exp2(load_quad(tiles, _DELTA + t * STEP) * decays))
        h = _advance(tiles, B, C, t, a0, h)
        h = _advance(tiles, B, C, t + _ONE, a1, h)
        h = _advance(tiles, B, C, t + index(2), a2, h)
        h = _advance(tiles, B, C, t + index(3), a3, h)
    for t in range(whole, place.steps):
        h = _advance(tiles, B, C, t, exp2(load(tiles, _DELTA + t * STEP) * decay), h)
    store(tiles, _state(n, s), h)
    states, first = (
        pointer(table, _SLOT_STATES_OUT),
        state_of(table, place, place.start // _CHUNK, s),
    )
    for c in range(place.rows):
        states[first + c * state_pitch(table)] = tiles[_state(n, s) + c]


@inlined
def _advance(tiles: Pointer, B: Pointer, C: Pointer, t: Index, a: Vector, h: Vector) -> Vector:
    """One step: h = a h + w B, y += C h."""
    h = multiply_add(a, h, load(tiles, _W + t * STEP) * B[t])
    store(tiles, _Y + t * STEP, multiply_add(h, C[t], load(tiles, _Y + t * STEP)))
    return h
