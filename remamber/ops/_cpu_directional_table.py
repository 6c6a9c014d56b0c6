"""What the fused CPU scan's compiled functions are given, and where in it a tensor's lanes lie.

The table of ``_cpu_table``: slot 0 holds the sizes below, then the directions. Slots 1 to 7 are
u delta A B C D delta_bias; u, delta and dy with neighbouring channels, A as (k, n, d).
Forward: 8 y, 9 states. Backward: 8 states, 9 dy, 10 du, 11 ddelta (k, b, l, d), 12 dA
(b, k, n, d), 13 dB and 14 dC (blocks, b, k, l, n), 15 dD (b, d), 16 ddelta_bias (b, k, d).
"""

from typing import NamedTuple

import numpy as np

from remamber.ops._contract import CHUNK
from remamber.ops._cpu_compile import Floats, Index, exactly, inlined
from remamber.ops._cpu_directional import WIDE
from remamber.ops._cpu_table import Table, floats, index, size
from remamber.ops._cpu_vector import Vector
from remamber.ops._cpu_wide import HALF, load_some

SIZES = (
    *("b", "k", "h", "w", "d", "n", "block", "softplus", "has_D", "has_bias"),
    *("u_sample", "u_step", "delta_sample", "delta_way", "delta_step"),
    *("B_sample", "B_way", "B_step", "B_state", "C_sample", "C_way", "C_step", "C_state"),
)
"""Strides are in elements; a step is from one position of the image to the next."""
SAMPLES, WAYS, HEIGHT, WIDTH, CHANNELS, STATES, BLOCK, SOFTPLUS, HAS_D, HAS_BIAS = range(10)
U_SAMPLE, U_STEP, DELTA_SAMPLE, DELTA_WAY, DELTA_STEP, B_STRIDES, C_STRIDES = *range(10, 16), 19
U, DELTA, A, B, C, D, BIAS, Y, NEW_STATES = range(1, 10)
OLD_STATES, DY, DU, DDELTA, DA, DB, DC, DD, DBIAS = range(8, 17)
ZERO, ONE, TWO, STEPS = index(0), index(1), index(2), index(CHUNK)
MOST_LANES, HALF_LANES = index(WIDE), index(HALF)
NOTHING = np.float32(0)


class Place(NamedTuple):
    """Where one pass of a loop is: sample, direction, chunk of steps, and the first channel."""

    sample: Index
    way: Index
    chunk: Index
    steps: Index
    channel: Index
    count: Index


@exactly
def aligned(count: Index) -> Floats:
    """So many float32 that start with a cache line."""
    line = index(16)
    buffer = np.empty(count + line, np.float32)
    past = index(buffer.ctypes.data) // index(4) % line
    return buffer[(line - past) % line :]


@exactly
def length(table: Table) -> Index:
    """Positions of the image."""
    return size(table, HEIGHT) * size(table, WIDTH)


@exactly
def chunks(table: Table) -> Index:
    """Chunks of a sequence, each with its stored state."""
    return (length(table) + STEPS - ONE) // STEPS


@exactly
def blocks(table: Table) -> Index:
    """Tasks that share a sample."""
    d, block = size(table, CHANNELS), size(table, BLOCK)
    return (d + block - ONE) // block


@exactly
def place(table: Table, sample: Index, way: Index, chunk: Index, channel: Index) -> Place:
    """A place with how many steps and lanes exist there."""
    steps = min(STEPS, length(table) - chunk * STEPS)
    return Place(
        sample, way, chunk, steps, channel, min(MOST_LANES, size(table, CHANNELS) - channel)
    )


@exactly
def find_positions(table: Table, positions: Index, where: Place) -> None:
    """Where in the image each step of a chunk is; the one place that knows the directions."""
    h, w, direction = size(table, HEIGHT), size(table, WIDTH), size(table, len(SIZES) + where.way)
    back, start = direction & TWO, where.chunk * STEPS
    step = h * w - ONE - start if back else start
    if not direction & ONE:
        for t in range(where.steps):
            positions[t] = step - t if back else step + t
        return
    column, row = step // h, step % h
    for t in range(where.steps):
        positions[t] = row * w + column
        if back:
            column -= ONE if row == ZERO else ZERO
            row = (h if row == ZERO else row) - ONE
        else:
            row += ONE
            column += ONE if row == h else ZERO
            row = ZERO if row == h else row


@inlined
def image(table: Table, where: Place) -> tuple[Floats, Index, Index]:
    """u: its array, where the lanes of position 0 are, and how far apart positions are."""
    at = where.sample * size(table, U_SAMPLE) + where.channel
    return floats(table, U), at, size(table, U_STEP)


@inlined
def step_sizes(table: Table, where: Place) -> tuple[Floats, Index, Index]:
    """delta, likewise."""
    at = where.sample * size(table, DELTA_SAMPLE) + where.way * size(table, DELTA_WAY)
    return floats(table, DELTA), at + where.channel, size(table, DELTA_STEP)


@inlined
def matrix(
    table: Table, slot: int, strides: int, where: Place
) -> tuple[Floats, Index, Index, Index]:
    """B or C: its array, where position 0 is, how far apart positions and states are."""
    at = where.sample * size(table, strides) + where.way * size(table, strides + 1)
    return floats(table, slot), at, size(table, strides + 2), size(table, strides + 3)


@inlined
def dense(table: Table, slot: int, where: Place) -> tuple[Floats, Index, Index]:
    """y, dy or du, (b, l, d) without gaps: as ``image``."""
    d = size(table, CHANNELS)
    return floats(table, slot), where.sample * length(table) * d + where.channel, d


@inlined
def parameter(table: Table, slot: int, present: int, where: Place, zero: Vector) -> Vector:
    """The lanes of D or delta_bias, zero where it was left out."""
    if size(table, present):
        at = where.way * size(table, CHANNELS) + where.channel
        return load_some(floats(table, slot), at, where.count, zero)
    return zero


@inlined
def state_before(table: Table, slot: int, where: Place, state: Index, zero: Vector) -> Vector:
    """The state that a chunk starts from: that stored after the chunk before, or zero."""
    if where.chunk == ZERO:
        return zero
    at = state_at(table, where, state) - size(table, STATES) * size(table, CHANNELS)
    return load_some(floats(table, slot), at, where.count, zero)


@inlined
def state_at(table: Table, where: Place, state: Index) -> Index:
    """Where the state after a chunk is stored."""
    chunk = (where.sample * size(table, WAYS) + where.way) * chunks(table) + where.chunk
    return (chunk * size(table, STATES) + state) * size(table, CHANNELS) + where.channel
