"""The fused CPU scan backward: each chunk of steps is scanned again, then walked in reverse.

A task is as in the forward pass. It starts each chunk from the state that the forward pass
stored before it, so nothing larger than a chunk of a few channels is ever kept. dB and dC are
sums over channels: each task writes those of its own block, which are added up afterwards in a
fixed order. Names are those of ``reference``; w_t = delta_t u_t, p_t = exp(delta_t A) h_{t-1}.
"""

from typing import NamedTuple

import numpy as np

from remamber.ops import _cpu_directional_table as at
from remamber.ops._cpu_compile import Floats, Index, exactly, inlined
from remamber.ops._cpu_directional_table import (
    HALF_LANES,
    MOST_LANES,
    NOTHING,
    ONE,
    STEPS,
    TWO,
    ZERO,
    Place,
)
from remamber.ops._cpu_exponential import LOG2E, exp2, softplus_and_slope
from remamber.ops._cpu_table import Table, floats, index, size, team_size, thread_number
from remamber.ops._cpu_transpose import sum_each
from remamber.ops._cpu_vector import LANES, Vector, load, store
from remamber.ops._cpu_wide import fold, half, lanes_of, load_lanes, load_some, store_some, wide

_SUM = index(LANES)


class Scratch(NamedTuple):
    """A thread's memory, in vectors.

    Attributes:
        positions: of the chunk's steps.
        kept: for each step its delta and that one's slope, then a and p of each state.
        carry: what dh takes over from the step after, of each state, block after block.
        a_sums: the chunk's sum for each state.
        b_sums: for each step and state the channels' sum, still in sixteen parts.
        c_sums: likewise.
    """

    positions: Index
    kept: Floats
    carry: Floats
    a_sums: Floats
    b_sums: Floats
    c_sums: Floats


def team_backward(table: Table) -> None:
    """Gradients of this thread's tasks; compiled as a C function."""
    blocks, block, d = at.blocks(table), size(table, at.BLOCK), size(table, at.CHANNELS)
    n, chunks = size(table, at.STATES), at.chunks(table)
    sums = (STEPS * n + _SUM) * _SUM
    scratch = Scratch(
        np.empty(STEPS, np.uint64),
        at.aligned(STEPS * (n + ONE) * TWO * MOST_LANES),
        at.aligned((block + MOST_LANES) * n),
        at.aligned(n * MOST_LANES),
        at.aligned(sums),
        at.aligned(sums),
    )
    tasks = size(table, at.SAMPLES) * blocks
    for task in range(index(thread_number()), tasks, index(team_size())):
        sample, first = task // blocks, task % blocks * block
        for way in range(size(table, at.WAYS)):
            for back in range(chunks):
                start = at.place(table, sample, way, chunks - ONE - back, first)
                at.find_positions(table, scratch.positions, start)
                for channel in range(first, min(first + block, d), MOST_LANES):
                    where = at.place(table, sample, way, start.chunk, channel)
                    if where.count > HALF_LANES:
                        _keep(table, scratch, where, wide(NOTHING))
                        _walk(table, scratch, where, first, wide(NOTHING))
                    else:
                        _keep(table, scratch, where, half(NOTHING))
                        _walk(table, scratch, where, first, half(NOTHING))
                _add_up(table, scratch, start, task % blocks)


@exactly
def _keep(table: Table, scratch: Scratch, where: Place, zero: Vector) -> None:
    n, soft, count = size(table, at.STATES), size(table, at.SOFTPLUS), where.count
    lanes = lanes_of(zero)
    u, u_at, u_step = at.image(table, where)
    delta, delta_at, delta_step = at.step_sizes(table, where)
    B, B_at, B_step, B_state = at.matrix(table, at.B, at.B_STRIDES, where)
    d, kept, h_all = size(table, at.CHANNELS), scratch.kept, scratch.a_sums
    A, A_at = floats(table, at.A), where.way * n * d + where.channel
    bias = at.parameter(table, at.BIAS, at.HAS_BIAS, where, zero)
    for s in range(n):
        store(h_all, s * lanes, at.state_before(table, at.OLD_STATES, where, s, zero))
    for t in range(where.steps):
        p, keep = scratch.positions[t], t * (n + ONE) * TWO * lanes
        x = load_some(u, u_at + p * u_step, count, zero)
        step = load_some(delta, delta_at + p * delta_step, count, zero) + bias
        if soft:
            step, slope = softplus_and_slope(step)
            store(kept, keep + lanes, slope)
        store(kept, keep, step)
        w = step * x
        for s in range(n):
            a = exp2(step * load_some(A, A_at + s * d, count, zero) * LOG2E)
            before = a * load_lanes(h_all, s * lanes, zero)
            store(kept, keep + (TWO + s) * lanes, a)
            store(kept, keep + (TWO + n + s) * lanes, before)
            store(h_all, s * lanes, before + w * B[B_at + p * B_step + s * B_state])


@exactly
def _walk(table: Table, scratch: Scratch, where: Place, first: Index, zero: Vector) -> None:
    n, soft, count = size(table, at.STATES), size(table, at.SOFTPLUS), where.count
    lanes = lanes_of(zero)
    u, u_at, u_step = at.image(table, where)
    dy, dy_at, d = at.dense(table, at.DY, where)
    du, du_at, _ = at.dense(table, at.DU, where)
    ddelta, ddelta_at = floats(table, at.DDELTA), _ddelta_at(table, where)
    B, B_at, B_step, B_state = at.matrix(table, at.B, at.B_STRIDES, where)
    C, C_at, C_step, C_state = at.matrix(table, at.C, at.C_STRIDES, where)
    A, A_at = floats(table, at.A), where.way * n * d + where.channel
    skip = at.parameter(table, at.D, at.HAS_D, where, zero)
    kept, carry, carry_at = scratch.kept, scratch.carry, (where.channel - first) * n
    added = where.channel > first
    last = where.chunk + ONE == at.chunks(table)
    dD, dbias = zero, zero
    for s in range(n):
        store(scratch.a_sums, s * lanes, dD)
        if last:
            store(carry, carry_at + s * lanes, dD)
    for back in range(where.steps):
        t = where.steps - ONE - back
        p, keep = scratch.positions[t], t * (n + ONE) * TWO * lanes
        x = load_some(u, u_at + p * u_step, count, zero)
        g = load_some(dy, dy_at + p * d, count, zero)
        step = load_lanes(kept, keep, zero)
        w, dx, dw, dstep = step * x, skip * g, zero, zero
        if where.way > ZERO:
            dx = dx + load_some(du, du_at + p * d, count, zero)
        for s in range(n):
            b, c = B[B_at + p * B_step + s * B_state], C[C_at + p * C_step + s * C_state]
            a = load_lanes(kept, keep + (TWO + s) * lanes, zero)
            before = load_lanes(kept, keep + (TWO + n + s) * lanes, zero)
            dh = g * c + load_lanes(carry, carry_at + s * lanes, zero)
            store(carry, carry_at + s * lanes, a * dh)
            _gather(scratch.c_sums, t * n + s, g * (before + w * b), count, added)
            _gather(scratch.b_sums, t * n + s, dh * w, count, added)
            dw, pull = dw + dh * b, dh * before
            dstep = dstep + pull * load_some(A, A_at + s * d, count, zero)
            dA = load_lanes(scratch.a_sums, s * lanes, zero) + pull * step
            store(scratch.a_sums, s * lanes, dA)
        dstep = dstep + dw * x
        if soft:
            dstep = dstep * load_lanes(kept, keep + lanes, zero)
        store_some(ddelta, ddelta_at + p * d, count, dstep)
        store_some(du, du_at + p * d, count, dx + dw * step)
        dD, dbias = dD + g * x, dbias + dstep
    _store_sums(table, scratch, where, dD, dbias)


@inlined
def _ddelta_at(table: Table, where: Place) -> Index:
    image = where.way * size(table, at.SAMPLES) + where.sample
    return image * at.length(table) * size(table, at.CHANNELS) + where.channel


@inlined
def _gather(sums: Floats, which: Index, vector: Vector, count: Index, added: bool) -> None:
    part = fold(vector, count)
    if added:
        part = part + load(sums, which * _SUM)
    store(sums, which * _SUM, part)


@inlined
def _store_sums(table: Table, scratch: Scratch, where: Place, dD: Vector, dbias: Vector) -> None:
    d, n = size(table, at.CHANNELS), size(table, at.STATES)
    row = where.sample * size(table, at.WAYS) + where.way
    new = where.chunk + ONE == at.chunks(table)
    for s in range(n):
        dA = load_lanes(scratch.a_sums, s * lanes_of(dD), dD)
        _accumulate(floats(table, at.DA), (row * n + s) * d + where.channel, dA, where.count, new)
    if size(table, at.HAS_BIAS):
        _accumulate(floats(table, at.DBIAS), row * d + where.channel, dbias, where.count, new)
    # The same in every direction: the sum over positions of dy u.
    if size(table, at.HAS_D) and where.way == ZERO:
        to = where.sample * d + where.channel
        _accumulate(floats(table, at.DD), to, dD, where.count, new)


@inlined
def _accumulate(sums: Floats, to: Index, vector: Vector, count: Index, new: bool) -> None:
    if not new:
        vector = vector + load_some(sums, to, count, vector)
    store_some(sums, to, count, vector)


@exactly
def _add_up(table: Table, scratch: Scratch, where: Place, block: Index) -> None:
    """The sums over the block's channels, each to its position."""
    n, length = size(table, at.STATES), at.length(table)
    image = (block * size(table, at.SAMPLES) + where.sample) * size(table, at.WAYS) + where.way
    dB, dC = floats(table, at.DB), floats(table, at.DC)
    sums = np.empty(_SUM + _SUM, np.float32)
    t, s = ZERO, ZERO
    for first in range(ZERO, where.steps * n, _SUM):
        store(sums, ZERO, sum_each(scratch.b_sums, first * _SUM))
        store(sums, _SUM, sum_each(scratch.c_sums, first * _SUM))
        for i in range(min(_SUM, where.steps * n - first)):
            to = (image * length + scratch.positions[t]) * n + s
            dB[to], dC[to] = sums[i], sums[_SUM + i]
            s += ONE
            if s == n:
                t, s = t + ONE, ZERO
