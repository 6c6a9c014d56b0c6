"""What the Triton kernels compute with: step size, recurrences, and where a step is in memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import triton
import triton.language as tl

kernel: Callable[[Callable[..., Any]], Any] = triton.jit

# A run's steps are to lie in one thread, so its axis must be the one that Triton gives lanes to
# last: of axes with nothing contiguous that was the last until 3.6, and is the middle one since.
_IN_RUN = 1 if tuple(map(int, triton.__version__.split(".")[:2])) >= (3, 7) else 2
IN_RUN = tl.constexpr(_IN_RUN)
RUNS = tl.constexpr(3 - _IN_RUN)
LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)


class Operand(NamedTuple):
    """A tensor of numbers by step, and its strides; a row is a channel, or a state of B and C."""

    at: Any
    batch: Any
    group: Any
    row: Any
    step: Any


class Partial(NamedTuple):
    """An operand once for each block of channels: parts of a sum over the channels."""

    at: Any
    block: Any
    batch: Any
    group: Any
    row: Any
    step: Any


class Kept(NamedTuple):
    """The states stored at the ends of chunks, and their strides."""

    at: Any
    batch: Any
    group: Any
    chunk: Any
    state: Any
    channel: Any


class Parameters(NamedTuple):
    """What belongs to a channel, in rows (group, channel), and each group's direction or None."""

    A: Any
    A_row: Any
    D: Any
    bias: Any
    ways: Any


class Sizes(NamedTuple):
    """How much there is; height and width are an image's."""

    groups: Any
    channels: Any
    length: Any
    n: Any
    height: Any
    width: Any


class Given(NamedTuple):
    """What both passes are given; the forward pass writes the states."""

    u: Operand
    delta: Operand
    B: Operand
    C: Operand
    own: Parameters
    states: Kept
    size: Sizes


class Arriving(NamedTuple):
    """The loss's derivatives that the backward pass starts from; states' may be None."""

    y: Operand
    states: Any


class Wanted(NamedTuple):
    """Where the backward pass writes: those of A, D and bias once for each sample."""

    u: Operand
    delta: Operand
    B: Partial
    C: Partial
    A: Any
    D: Any
    bias: Any


@kernel
def owned(size: tl.tuple, CHANNELS: tl.constexpr) -> tl.tuple:
    """The sample, group and channels that this program owns."""
    blocks = tl.cdiv(size.channels, CHANNELS)
    program = tl.program_id(0)
    pair = (program // blocks).to(tl.int64)
    c = (program % blocks) * CHANNELS + tl.arange(0, CHANNELS)[:, None, None]
    # In 64 bits, as every offset made of it: a large batch of long sequences passes 2 ** 31.
    return pair // size.groups, pair % size.groups, c.to(tl.int64)


@kernel
def address(
    x: tl.tuple, batch: tl.tensor, group: tl.tensor, row: tl.tensor, where: tl.tensor
) -> tl.tensor:
    """Addresses of an operand's rows at these positions."""
    return x.at + batch * x.batch + group * x.group + row * x.row + where * x.step


@kernel
def read(at: tl.tensor, inside: tl.tensor) -> tl.tensor:
    """The numbers there in float32, and zeros outside."""
    return tl.load(at, mask=inside, other=0.0).to(tl.float32)


@kernel
def kept_at(
    x: tl.tuple, batch: tl.tensor, group: tl.tensor, chunk: tl.tensor, s: tl.tensor, c: tl.tensor
) -> tl.tensor:
    """Addresses of stored states."""
    first = x.at + batch * x.batch + group * x.group
    return first + chunk.to(tl.int64) * x.chunk + s * x.state + c * x.channel


@kernel
def position(t: tl.tensor, group: tl.tensor, own: tl.tuple, size: tl.tuple) -> tl.tensor:
    """The place of each step: bit 0 of way reads column by column, bit 1 from the end."""
    if own.ways is not None:
        way = tl.load(own.ways + group)
        t = tl.where(way >= 2, size.length - 1 - t, t)
        across = (t % size.height) * size.width + t // size.height
        t = tl.where(way % 2 == 1, across, t)
    return t.to(tl.int64)


@kernel
def step_size(raw: tl.tensor, SOFTPLUS: tl.constexpr) -> tl.tuple:
    """softplus(raw), or raw, and the slope of that.

    log(1 + e), e = exp(-|raw|), by a polynomial good to 6e-9: Triton's logarithm loses what is
    small, and a division costs as much.
    """
    if not SOFTPLUS:
        return raw, tl.full(raw.shape, 1.0, tl.float32)
    e = tl.exp2(-tl.abs(raw) * LOG2_E)
    p = -0.0563736148 + e * (0.0195425283 - e * 0.00317605701)
    p = 0.196632743 + e * (-0.152696669 + e * (0.105436236 + e * p))
    p = 1.0 + e * (-0.499998927 + e * (0.333297104 + e * (-0.249516159 + e * p)))
    slope = tl.where(raw >= 0, 1.0, e) / (1.0 + e)
    return tl.maximum(raw, 0.0) + e * p, slope


@kernel
def over_steps(x: tl.tensor) -> tl.tensor:
    """Sum over the two axes of the steps, kept with length one."""
    return tl.sum(tl.sum(x, axis=IN_RUN, keep_dims=True), axis=RUNS, keep_dims=True)


@kernel
def _onward(a: tl.tensor, x: tl.tensor, new_a: tl.tensor, new_x: tl.tensor) -> tl.tuple:
    return new_a * a, new_a * x + new_x


@kernel
def _onward_before(
    a: tl.tensor,
    x: tl.tensor,
    a_before: tl.tensor,
    x_before: tl.tensor,
    new_a: tl.tensor,
    new_x: tl.tensor,
    new_a_before: tl.tensor,
    new_x_before: tl.tensor,
) -> tl.tuple:
    # The same, and beside it the stretch without its last element.
    before = new_a_before * a, new_a_before * x + new_x_before
    return new_a * a, new_a * x + new_x, before[0], before[1]


@kernel
def _into_runs(a: tl.tensor, x: tl.tensor, REVERSE: tl.constexpr) -> tl.tensor:
    """What enters each run of steps, if run o turns v into a_o v + x_o; nothing the first."""
    one, zero = tl.full(a.shape, 1.0, tl.float32), tl.zeros(a.shape, tl.float32)
    _, _, _, entering = tl.associative_scan(
        (a, x, one, zero), RUNS, _onward_before, reverse=REVERSE
    )
    return entering


@kernel
def recur(a: tl.tensor, x: tl.tensor, before: tl.tensor, lane: tl.tensor) -> tl.tensor:
    """h_t = a_t h_{t-1} + x_t over the steps, from the state before.

    Steps are runs of consecutive ones: first within each run, which is within
    a thread, then from run to run.
    """
    first = lane == 0
    x = tl.where(first, x + a * before, x)
    RUN: tl.constexpr = a.shape[IN_RUN]
    if RUN == 1:
        _, h = tl.associative_scan((a, x), RUNS, _onward)
        return h
    a, x = tl.associative_scan((a, x), IN_RUN, _onward)
    end = lane % RUN == RUN - 1
    entering = _into_runs(_of_runs(a, end), _of_runs(x, end), False)
    return x + a * entering


@kernel
def _onward_decayed(
    a: tl.tensor, p: tl.tensor, x: tl.tensor, new_a: tl.tensor, new_p: tl.tensor, new_x: tl.tensor
) -> tl.tuple:
    return new_a * a, new_a * (p + x) + new_p, new_x


@kernel
def recur_decayed(a: tl.tensor, x: tl.tensor, before: tl.tensor, lane: tl.tensor) -> tl.tensor:
    """p_t = a_t h_{t-1}, the part of ``recur``'s h_t = p_t + x_t that was there before.

    Taken off h again, a part much smaller than x would be lost to rounding.
    """
    p = tl.where(lane == 0, a * before, 0.0)
    RUN: tl.constexpr = a.shape[IN_RUN]
    if RUN == 1:
        _, p, _ = tl.associative_scan((a, p, x), RUNS, _onward_decayed)
        return p
    decay, p, _ = tl.associative_scan((a, p, x), IN_RUN, _onward_decayed)
    end = lane % RUN == RUN - 1
    entering = _into_runs(_of_runs(decay, end), _of_runs(p + x, end), False)
    return p + decay * entering


@kernel
def _of_runs(x: tl.tensor, chosen: tl.tensor) -> tl.tensor:
    return tl.sum(tl.where(chosen, x, 0.0), axis=IN_RUN, keep_dims=True)


@kernel
def _back(
    f: tl.tensor, x: tl.tensor, a: tl.tensor, new_f: tl.tensor, new_x: tl.tensor, new_a: tl.tensor
) -> tl.tuple:
    # A stretch of steps: x is its first dh, a its first step's decay, f the decay between its
    # first step and its last. The decay into a step is the next one's, hence the third number.
    f_here = new_f * a
    return f_here * f, new_x + f_here * x, new_a


@kernel
def recur_back(a: tl.tensor, g: tl.tensor, after: tl.tensor, lane: tl.tensor) -> tl.tensor:
    """dh_t = g_t + a_{t+1} dh_{t+1} over the steps; after is a dh of the step beyond."""
    RUN: tl.constexpr = a.shape[IN_RUN]
    STEPS: tl.constexpr = a.shape[1] * a.shape[2]
    g = tl.where(lane == STEPS - 1, g + after, g)
    one = tl.full(a.shape, 1.0, tl.float32)
    if RUN == 1:
        _, dh, _ = tl.associative_scan((one, g, a), RUNS, _back, reverse=True)
        return dh
    f, x, _ = tl.associative_scan((one, g, a), IN_RUN, _back, reverse=True)
    start = lane % RUN == 0
    entering = _into_runs(_of_runs(a * f, start), _of_runs(a * x, start), True)
    return x + f * entering


@kernel
def lanes(STEPS: tl.constexpr, RUN: tl.constexpr) -> tl.tensor:
    """The number of each of a chunk's steps, in runs of consecutive ones."""
    if IN_RUN == 1:
        lane = tl.arange(0, STEPS // RUN)[None, None, :] * RUN + tl.arange(0, RUN)[None, :, None]
    else:
        lane = tl.arange(0, STEPS // RUN)[None, :, None] * RUN + tl.arange(0, RUN)[None, None, :]
    return lane


@kernel
def no_sums(CHANNELS: tl.constexpr, COUNT: tl.constexpr) -> tl.tensor:
    """Zeros for each channel and run."""
    if IN_RUN == 1:
        zeros = tl.zeros([CHANNELS, 1, COUNT], tl.float32)
    else:
        zeros = tl.zeros([CHANNELS, COUNT, 1], tl.float32)
    return zeros


@kernel
def pick(x: tl.tensor, lane: tl.tensor, WHICH: tl.constexpr) -> tl.tensor:
    """The numbers of one step, its axes kept with length one."""
    return over_steps(tl.where(lane == WHICH, x, 0.0))
