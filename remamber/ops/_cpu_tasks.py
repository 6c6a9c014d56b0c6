"""The selective scan for CPUs in numba: forward and backward of one block of channels.

``team_forward`` and ``team_backward`` are C functions ``void (*)(void **)`` that every thread of
an OpenMP team enters; thread i takes the tasks i, i + threads, ... A task is a block of channels
of one group of one sample over the whole sequence, worked tile by tile. What a task does is
fixed by the shapes and never by the number of threads, so the bits of the result are too.

``cpu`` fills the argument table: slot 0 holds the sizes, in the order of ``SIZES``; the others
float32 arrays, null where an argument is absent. Forward: u delta A B C D delta_bias y states.
Backward: the same seven, states dy dstates, du ddelta dA dB dC dD ddelta_bias. The backward
starts each chunk from the state that the forward stored before it and recomputes inside: no
array of b d l n is ever stored.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from remamber.ops import _cpu_kernels as k
from remamber.ops._contract import CHUNK
from remamber.ops._cpu_math import Doubles, Floats, Index, exactly

TILE = 1024
PITCH = TILE + 80
SIZES = ("b", "d", "l", "n", "g", "blocks", "softplus", "has_D", "has_bias", "has_dstates")
Table: TypeAlias = Any
"""The C table of pointers."""
THREAD_NUMBER, TEAM_SIZE = "remamber_thread_number", "remamber_team_size"
thread_number: Any = types.ExternalFunction(THREAD_NUMBER, types.int32())
team_size: Any = types.ExternalFunction(TEAM_SIZE, types.int32())
TABLE = types.void(types.CPointer(types.voidptr))  # type: ignore[no-untyped-call]
_ZERO, _ONE = np.float32(0), k.index(1)


@exactly
def _sizes(table: Table) -> tuple[Index, ...]:
    s = carray(table[0], len(SIZES), np.uint64)
    return s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]


@exactly
def _array(table: Table, slot: int) -> Floats:
    """The slot's array, its length left open: every index comes from the sizes."""
    return carray(table[slot], 1 << 62, np.float32)


@exactly
def _block(table: Table, task: Index) -> tuple[Index, Index, Index, Index, Index]:
    """Sample, group, block, and the channels [first, stop) of a task."""
    _, d, _, _, g, blocks, _, _, _, _ = _sizes(table)
    block, rest = task % blocks, task // blocks
    group, sample = rest % g, rest // g
    width = d // g
    size = (width + blocks - _ONE) // blocks
    first = group * width + block * size
    return sample, group, block, first, min(first + size, (group + _ONE) * width)


@exactly
def _tile(buffer: Floats, slot: int) -> Floats:
    return buffer[slot * PITCH : slot * PITCH + TILE]


@exactly
def _chunk(length: Index) -> Index:
    return min(length, k.index(CHUNK))


def team_forward(table: Table) -> None:
    """Forward scan of this thread's tasks; compiled as a C function by ``cpu``."""
    b, _, length, n, g, blocks, _, _, _, _ = _sizes(table)
    scratch = np.empty(5 * PITCH, np.float32)
    carry = np.empty(TILE * n, np.float32)
    height = k.index(TILE) // _chunk(length)
    for task in range(k.index(thread_number()), b * g * blocks, k.index(team_size())):
        sample, group, _, first, stop = _block(table, task)
        for channel in range(first, stop, height):
            rows = min(height, stop - channel)
            k.clear(carry, rows * n)
            for start in range(k.index(0), length, k.index(CHUNK)):
                _forward_tile(table, scratch, carry, sample, group, channel, rows, start)


@exactly
def _forward_tile(
    table: Table,
    scratch: Floats,
    carry: Floats,
    sample: Index,
    group: Index,
    channel: Index,
    rows: Index,
    start: Index,
) -> None:
    b, d, length, n, g, _, softplus, has_D, has_bias, _ = _sizes(table)
    steps = min(k.index(CHUNK), length - start)
    size, origin = rows * steps, (sample * d + channel) * length + start
    w, delta, y = _tile(scratch, 0), _tile(scratch, 1), _tile(scratch, 2)
    k.load(w, _array(table, 1), origin, length, rows, steps)
    k.load(delta, _array(table, 2), origin, length, rows, steps)
    if has_bias:
        k.shift_rows(delta, _array(table, 7), channel, rows, steps)
    if softplus:
        k.softplus_all(delta, size)
    if has_D:
        k.by_row(y, w, _array(table, 6), channel, _ONE, rows, steps)
    else:
        k.clear(y, size)
    k.multiply_into(w, delta, size)
    for s in range(n):
        _forward_state(table, scratch, carry, sample, group, channel, rows, start, s)
    k.store(_array(table, 8), y, origin, length, rows, steps)


@exactly
def _forward_state(
    table: Table,
    scratch: Floats,
    carry: Floats,
    sample: Index,
    group: Index,
    channel: Index,
    rows: Index,
    start: Index,
    s: Index,
) -> None:
    _, d, length, n, g, _, _, _, _, _ = _sizes(table)
    steps, chunks = min(k.index(CHUNK), length - start), _chunks(length)
    w, delta, y = _tile(scratch, 0), _tile(scratch, 1), _tile(scratch, 2)
    a, h = _tile(scratch, 3), _tile(scratch, 4)
    step = ((sample * g + group) * n + s) * length + start
    k.by_row(a, delta, _array(table, 3), channel * n + s, n, rows, steps)
    k.exp_all(a, rows * steps)
    k.by_step(h, w, _array(table, 4), step, rows, steps)
    k.recur(carry, a, h, s * rows, rows, steps)
    k.add_by_step(y, h, _array(table, 5), step, rows, steps)
    states = _array(table, 9)
    for r in range(rows):
        at = ((sample * d + channel + r) * chunks + start // k.index(CHUNK)) * n + s
        states[at] = carry[s * rows + r]


@exactly
def _chunks(length: Index) -> Index:
    return (length + k.index(CHUNK) - _ONE) // k.index(CHUNK)


def team_backward(table: Table) -> None:
    """Gradients of this thread's tasks; compiled as a C function by ``cpu``."""
    b, _, length, n, g, blocks, _, _, _, _ = _sizes(table)
    scratch = np.empty(10 * PITCH, np.float32)
    carry = np.empty(TILE * (n + _ONE), np.float32)
    sums = np.empty(TILE * (n + _ONE + _ONE), np.float64)
    height, chunks = k.index(TILE) // _chunk(length), _chunks(length)
    for task in range(k.index(thread_number()), b * g * blocks, k.index(team_size())):
        sample, group, block, first, stop = _block(table, task)
        for channel in range(first, stop, height):
            rows = min(height, stop - channel)
            k.clear(carry, rows * n)
            for i in range(rows * (n + _ONE + _ONE)):
                sums[i] = 0.0
            for back in range(chunks):
                chunk = chunks - _ONE - back
                _backward_tile(
                    table, scratch, carry, sums, sample, group, block, channel, rows, chunk
                )
            _store_sums(table, sums, sample, channel, rows)


@exactly
def _store_sums(table: Table, sums: Doubles, sample: Index, channel: Index, rows: Index) -> None:
    _, d, _, n, _, _, _, has_D, has_bias, _ = _sizes(table)
    dA, dD, dbias = _array(table, 13), _array(table, 16), _array(table, 17)
    for r in range(rows):
        at = sample * d + channel + r
        for s in range(n):
            dA[at * n + s] = sums[s * rows + r]
        if has_D:
            dD[at] = sums[n * rows + r]
        if has_bias:
            dbias[at] = sums[(n + _ONE) * rows + r]


@exactly
def _backward_tile(
    table: Table,
    scratch: Floats,
    carry: Floats,
    sums: Doubles,
    sample: Index,
    group: Index,
    block: Index,
    channel: Index,
    rows: Index,
    chunk: Index,
) -> None:
    _, d, length, n, _, _, softplus, has_D, has_bias, _ = _sizes(table)
    start = chunk * k.index(CHUNK)
    steps = min(k.index(CHUNK), length - start)
    size, origin = rows * steps, (sample * d + channel) * length + start
    w, delta, dy, dw = _tile(scratch, 0), _tile(scratch, 1), _tile(scratch, 2), _tile(scratch, 3)
    ddelta, u, slope = _tile(scratch, 4), _tile(scratch, 8), _tile(scratch, 9)
    k.load(u, _array(table, 1), origin, length, rows, steps)
    k.load(delta, _array(table, 2), origin, length, rows, steps)
    k.load(dy, _array(table, 9), origin, length, rows, steps)
    if has_bias:
        k.shift_rows(delta, _array(table, 7), channel, rows, steps)
    if softplus:
        k.slope_all(slope, delta, size)
        k.softplus_all(delta, size)
    k.multiply(w, u, delta, size)
    k.clear(dw, size)
    k.clear(ddelta, size)
    for s in range(n):
        _backward_state(table, scratch, carry, sums, sample, group, block, channel, rows, chunk, s)
    k.add_product(ddelta, dw, u, size)
    if softplus:
        k.multiply_into(ddelta, slope, size)
    k.multiply_into(dw, delta, size)
    if has_D:
        k.sum_steps(sums, dy, u, n * rows, rows, steps)
        k.add_by_row(dw, dy, _array(table, 6), channel, _ONE, rows, steps)
    if has_bias:
        k.sum_rows(sums, ddelta, (n + _ONE) * rows, rows, steps)
    k.store(_array(table, 11), dw, origin, length, rows, steps)
    k.store(_array(table, 12), ddelta, origin, length, rows, steps)


@exactly
def _backward_state(
    table: Table,
    scratch: Floats,
    carry: Floats,
    sums: Doubles,
    sample: Index,
    group: Index,
    block: Index,
    channel: Index,
    rows: Index,
    chunk: Index,
    s: Index,
) -> None:
    b, d, length, n, g, _, _, _, _, has_dstates = _sizes(table)
    start, chunks = chunk * k.index(CHUNK), _chunks(length)
    steps = min(k.index(CHUNK), length - start)
    w, delta, dy, dw = _tile(scratch, 0), _tile(scratch, 1), _tile(scratch, 2), _tile(scratch, 3)
    ddelta, a, p, x = _tile(scratch, 4), _tile(scratch, 5), _tile(scratch, 6), _tile(scratch, 7)
    A, B, C = _array(table, 3), _array(table, 4), _array(table, 5)
    states, dstates = _array(table, 8), _array(table, 10)
    for r in range(rows):
        at = ((sample * d + channel + r) * chunks + chunk) * n + s
        carry[n * rows + r] = states[at - n] if chunk > k.index(0) else _ZERO
        if has_dstates:
            carry[s * rows + r] += dstates[at]
    step = ((sample * g + group) * n + s) * length + start
    mine = block * (b * g * n * length) + step
    k.by_row(a, delta, A, channel * n + s, n, rows, steps)
    k.exp_all(a, rows * steps)
    k.by_step(x, w, B, step, rows, steps)
    k.recur_kept(p, carry, a, x, n * rows, rows, steps)
    k.multiply_into(p, a, rows * steps)
    k.sum_states(_array(table, 15), dy, p, x, mine, rows, steps)
    dh = x
    k.by_step(dh, dy, C, step, rows, steps)
    k.recur_back(dh, carry, a, s * rows, rows, steps)
    k.sum_channels(_array(table, 14), dh, w, mine, rows, steps)
    k.add_by_step(dw, dh, B, step, rows, steps)
    k.multiply_into(p, dh, rows * steps)
    k.add_by_row(ddelta, p, A, channel * n + s, n, rows, steps)
    k.sum_steps(sums, p, delta, s * rows, rows, steps)
