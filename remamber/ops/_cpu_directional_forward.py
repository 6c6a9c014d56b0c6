"""The fused CPU scan forward: neighbouring channels side by side, step by step over the image.

A task is a block of channels of one sample in all directions, one after another, so that their
outputs add up in place without a race; its bits do not depend on how many threads there are.
Names are those of ``reference``; w_t = delta_t u_t.
"""

import numpy as np

from remamber.ops import _cpu_directional_table as at
from remamber.ops._cpu_compile import Floats, Index, exactly
from remamber.ops._cpu_directional_table import HALF_LANES, MOST_LANES, NOTHING, STEPS, ZERO, Place
from remamber.ops._cpu_exponential import LOG2E, exp2, softplus
from remamber.ops._cpu_table import Table, floats, index, size, team_size, thread_number
from remamber.ops._cpu_vector import Vector, store
from remamber.ops._cpu_wide import half, lanes_of, load_lanes, load_some, store_some, wide


def team_forward(table: Table) -> None:
    """Scan this thread's tasks; compiled as a C function."""
    blocks, block, d = at.blocks(table), size(table, at.BLOCK), size(table, at.CHANNELS)
    positions = np.empty(STEPS, np.uint64)
    carry = at.aligned(size(table, at.STATES) * MOST_LANES)
    tasks = size(table, at.SAMPLES) * blocks
    for task in range(index(thread_number()), tasks, index(team_size())):
        sample, first = task // blocks, task % blocks * block
        for way in range(size(table, at.WAYS)):
            for chunk in range(at.chunks(table)):
                at.find_positions(table, positions, at.place(table, sample, way, chunk, first))
                for channel in range(first, min(first + block, d), MOST_LANES):
                    where = at.place(table, sample, way, chunk, channel)
                    if where.count > HALF_LANES:
                        _scan(table, positions, carry, where, wide(NOTHING))
                    else:
                        _scan(table, positions, carry, where, half(NOTHING))


@exactly
def _scan(table: Table, positions: Index, carry: Floats, where: Place, zero: Vector) -> None:
    lanes = lanes_of(zero)
    n, soft, count = size(table, at.STATES), size(table, at.SOFTPLUS), where.count
    u, u_at, u_step = at.image(table, where)
    delta, delta_at, delta_step = at.step_sizes(table, where)
    B, B_at, B_step, B_state = at.matrix(table, at.B, at.B_STRIDES, where)
    C, C_at, C_step, C_state = at.matrix(table, at.C, at.C_STRIDES, where)
    y, y_at, d = at.dense(table, at.Y, where)
    A, A_at = floats(table, at.A), where.way * n * d + where.channel
    bias = at.parameter(table, at.BIAS, at.HAS_BIAS, where, zero)
    skip = at.parameter(table, at.D, at.HAS_D, where, zero)
    for s in range(n):
        store(carry, s * lanes, at.state_before(table, at.NEW_STATES, where, s, zero))
    for t in range(where.steps):
        p = positions[t]
        x = load_some(u, u_at + p * u_step, count, zero)
        step = load_some(delta, delta_at + p * delta_step, count, zero) + bias
        if soft:
            step = softplus(step)
        w, total = step * x, skip * x
        if where.way > ZERO:
            total = total + load_some(y, y_at + p * d, count, zero)
        for s in range(n):
            a = exp2(step * load_some(A, A_at + s * d, count, zero) * LOG2E)
            h = a * load_lanes(carry, s * lanes, zero) + w * B[B_at + p * B_step + s * B_state]
            store(carry, s * lanes, h)
            total = total + h * C[C_at + p * C_step + s * C_state]
        store_some(y, y_at + p * d, count, total)
    states = floats(table, at.NEW_STATES)
    for s in range(n):
        last = load_lanes(carry, s * lanes, zero)
        store_some(states, at.state_at(table, where, s), count, last)
