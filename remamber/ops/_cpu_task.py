"""How the CPU scan is cut into tasks, and the numbers its tiles start from.

A task is a block of channels of one group of one sample over the whole sequence, worked 16
channels and 128 steps at a time. What a task does is fixed by the shapes and never by the number
of threads, so the bits of the result are too.

Slot 0 of a table holds the sizes; the next seven u delta A B C D delta_bias, float32 and
contiguous, null where an argument is absent.
"""

import numpy as np

from remamber.ops._contract import CHUNK
from remamber.ops._cpu_compile import Index, Pointer, exactly
from remamber.ops._cpu_table import Table, index, pointer, size
from remamber.ops._cpu_tile import BLOCK, Place, copy_lanes
from remamber.ops._cpu_vector import Vector, load, repeat, splat_quad

SAMPLES, CHANNELS, LENGTH, STATES, GROUPS, BLOCKS = range(6)
SOFTPLUS, HAS_D, HAS_BIAS, HAS_DSTATES = range(6, 10)
"""The sizes b d l n g, into how many blocks a group's channels are cut, and what is given."""
SLOT_U, SLOT_DELTA, SLOT_A, SLOT_B, SLOT_C, SLOT_D, SLOT_BIAS = range(1, 8)
_CHUNK, _ONE = index(CHUNK), index(1)
_ZERO = np.float32(0)


@exactly
def chunks_of(length: Index) -> Index:
    """How many states are stored for a sequence."""
    return (length + _CHUNK - _ONE) // _CHUNK


@exactly
def task_of(table: Table, task: Index) -> tuple[Index, Index, Index, Index, Index]:
    """Sample, group, block, and the channels [first, stop) of a task."""
    d, g, blocks = size(table, CHANNELS), size(table, GROUPS), size(table, BLOCKS)
    block, rest = task % blocks, task // blocks
    group, sample = rest % g, rest // g
    width = d // g
    units = (width + BLOCK - _ONE) // BLOCK
    share = (units + blocks - _ONE) // blocks * BLOCK
    first = group * width + min(block * share, width)
    return sample, group, block, first, min(first + share, (group + _ONE) * width)


@exactly
def tasks_in(table: Table) -> Index:
    """How many tasks there are."""
    return size(table, SAMPLES) * size(table, GROUPS) * size(table, BLOCKS)


@exactly
def lanes_of(
    tiles: Pointer, room: Index, table: Table, slot: int, present: Index, place: Place
) -> Vector:
    """The channels' D or delta_bias four times over, zero if there is none."""
    if not present:
        return splat_quad(_ZERO)
    copy_lanes(tiles, room, pointer(table, slot), place.channel, _ONE, place.rows)
    return repeat(load(tiles, room))


@exactly
def row_of(table: Table, place: Place, s: Index) -> Index:
    """Where in B and C the stretch of one state begins that a tile needs."""
    group = place.sample * size(table, GROUPS) + place.group
    return (group * size(table, STATES) + s) * size(table, LENGTH) + place.start


@exactly
def state_of(table: Table, place: Place, chunk: Index, s: Index) -> Index:
    """Where the state after a chunk is stored for a tile's first channel."""
    first = place.sample * size(table, CHANNELS) + place.channel
    return first * state_pitch(table) + chunk * size(table, STATES) + s


@exactly
def state_pitch(table: Table) -> Index:
    """How far apart two channels' states are stored."""
    return chunks_of(size(table, LENGTH)) * size(table, STATES)
