"""Tiles of the CPU scan: 16 channels by at most 128 steps, turned so that channels lie together.

In memory each channel's sequence is contiguous; in a tile the 16 channels of a step are, so that
one vector holds a step and the recurrence runs down the tile with all lanes at work. Channels
that a group has not are zero.
"""

from typing import NamedTuple

import numpy as np

from remamber.ops._contract import CHUNK
from remamber.ops._cpu_compile import Floats, Index, Pointer, exactly
from remamber.ops._cpu_table import index
from remamber.ops._cpu_transpose import transpose, transpose_in, transpose_out
from remamber.ops._cpu_vector import LANES, QUAD, load, pointer_into, store

STEP, BLOCK, FOUR = index(LANES), index(LANES), index(QUAD)
TILE = CHUNK * LANES
PITCH = index(TILE + 5 * LANES)
"""Between two tiles: no multiple of 4096 bytes, which stores and loads could mistake."""
_ZERO, _ONE, _NONE = np.float32(0), index(1), index(0)


class Place(NamedTuple):
    """Where a tile lies: its sample and group, channels and steps."""

    sample: Index
    group: Index
    channel: Index
    rows: Index
    start: Index
    steps: Index


@exactly
def scratch(size: Index) -> Floats:
    """Room for so many float32 from a cache line on."""
    return np.empty(size + STEP, np.float32)


@exactly
def aligned(buffer: Floats) -> Pointer:
    """The first cache line of ``scratch``, to be kept until ``release``."""
    past = index(buffer.ctypes.data) // index(4) % STEP
    return pointer_into(buffer, (STEP - past) % STEP)


@exactly
def release(buffer: Floats) -> None:
    """Say that the scratch is done with: numba frees an array after its last use."""
    buffer[0] = _ZERO


@exactly
def rounded(steps: Index) -> Index:
    """Steps up to a whole quad, for what is done to each alone."""
    return (steps + index(3)) // index(4) * index(4)


@exactly
def turn_in(
    tiles: Pointer, tile: Index, source: Pointer, first: Index, pitch: Index, place: Place
) -> None:
    """``tile[t, c] = source[first + c * pitch + t]``, zero for added channels and steps."""
    whole = _whole_steps(place)
    for t in range(_NONE, whole, BLOCK):
        transpose(tiles, tile + t * STEP, STEP, source, first + t, pitch)
    for t in range(whole, place.steps, BLOCK):
        left = place.steps - t
        transpose_in(tiles, tile + t * STEP, source, first + t, pitch, place.rows, left)


@exactly
def turn_out(
    target: Pointer, first: Index, pitch: Index, tiles: Pointer, tile: Index, place: Place
) -> None:
    """``target[first + c * pitch + t] = tile[t, c]`` for the channels and steps there are."""
    whole = _whole_steps(place)
    for t in range(_NONE, whole, BLOCK):
        transpose(target, first + t, pitch, tiles, tile + t * STEP, STEP)
    for t in range(whole, place.steps, BLOCK):
        left = place.steps - t
        transpose_out(target, first + t, pitch, tiles, tile + t * STEP, place.rows, left)


@exactly
def _whole_steps(place: Place) -> Index:
    """The steps in blocks of 16 channels by 16 steps with no gap."""
    return place.steps // BLOCK * BLOCK if place.rows == BLOCK else _NONE


@exactly
def clear(tiles: Pointer, first: Index, steps: Index) -> None:
    """Zero so many steps of a tile."""
    for i in range(first, first + steps * STEP):
        tiles[i] = _ZERO


@exactly
def copy_lanes(
    tiles: Pointer, to: Index, source: Pointer, first: Index, pitch: Index, rows: Index
) -> None:
    """One number of each channel as a vector, zero for added channels."""
    if pitch == _ONE and rows == BLOCK:
        store(tiles, to, load(source, first))
        return
    for c in range(BLOCK):
        tiles[to + c] = source[first + c * pitch] if c < rows else _ZERO
