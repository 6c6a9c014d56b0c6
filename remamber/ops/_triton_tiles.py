"""How much a program of the Triton kernels takes at a time.

More elements a thread make the shuffles' share smaller, more channels a program write fewer parts
of dB and dC, and fewer leave more programs to fill the processors. Chosen by what ptxas says of
registers and instructions (``tests/ops/triton_screen.py``), not yet by a clock:
``tests/gpu_check.py`` times others.
"""

from typing import NamedTuple

_PROGRAMS = 528
"""Four for each of an H100's 132 multiprocessors."""


class Tile(NamedTuple):
    """A program's channels, its steps at a time, how many of them lie in one thread, its warps.

    All are powers of two; where a chunk is not the whole sequence its steps are a multiple of
    128, since it begins at a stored state. ``stages`` above one prefetches that many chunks.
    """

    channels: int
    steps: int
    run: int = 1
    warps: int = 4
    stages: int = 1


class Work(NamedTuple):
    """What there is to do: samples times groups, channels of a group, steps, states."""

    pairs: int
    channels: int
    length: int
    states: int
    image: bool


def power_of_two(number: int) -> int:
    """The least power of two that is no less."""
    return 1 << (number - 1).bit_length()


def forward_tile(work: Work) -> Tile:
    """The forward pass's tile."""
    if work.image:
        return _image_tile(work, elements=1024, run=8)
    return _sequence_tile(work, steps=1024, elements=1024)


def backward_tile(work: Work) -> Tile:
    """The backward pass's tile; it keeps twice as much of an element in registers."""
    if work.image:
        # Several states keep their own carried sums besides.
        few = work.states > 1
        return _image_tile(work, elements=256 if few else 512, run=2 if few else 4)
    return _sequence_tile(work, steps=512, elements=1024)


def _image_tile(work: Work, *, elements: int, run: int) -> Tile:
    """A warp's elements; eight channels lie in one sector of memory, the least that is read."""
    steps = min(128, power_of_two(work.length))
    channels = min(8, power_of_two(work.channels))
    while channels * steps < 2048 and _programs(work, 2 * channels) >= _PROGRAMS:
        channels *= 2
    return Tile(channels, steps, min(run, steps), _warps(channels * steps, elements))


def _sequence_tile(work: Work, *, steps: int, elements: int) -> Tile:
    """Steps first, since they lie side by side, then as many channels as there are to spare."""
    steps = min(steps, power_of_two(work.length))
    channels = 1
    while channels * steps < elements and _programs(work, 2 * channels) >= _PROGRAMS:
        channels *= 2
    return Tile(channels, steps, warps=_warps(channels * steps, 256))


def _programs(work: Work, channels: int) -> int:
    return work.pairs * -(-work.channels // channels)


def _warps(elements: int, of_each: int) -> int:
    return max(1, min(8, elements // of_each))
