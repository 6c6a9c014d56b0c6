"""The selective scan in Triton: one kernel forward, one backward, for sequences and for images.

A program owns a few channels of one sample and group and walks their sequence in chunks. Within
a chunk it takes one state after the other; the recurrence is an associative scan over pairs
(a, x), and from chunk to chunk the states are carried. A tile has the axes (channels, steps in a
run, runs), and a run's steps lie in one thread. A sequence's runs are single steps, since its
steps lie side by side in memory and so belong to many threads; of an image it is the channels
that do.

A group of channels shares B and C; of an image it is one direction, which finds its positions by
arithmetic on the step's number.

Names are those of ``reference``; rate = A / ln 2, so that exp(delta A) = 2 ** (delta rate).
"""

import triton.language as tl

from remamber.ops._contract import CHUNK
from remamber.ops._triton_math import (
    IN_RUN,
    LN_2,
    LOG2_E,
    Arriving,
    Given,
    Wanted,
    address,
    kept_at,
    kernel,
    lanes,
    no_sums,
    over_steps,
    owned,
    pick,
    position,
    read,
    recur,
    recur_back,
    recur_decayed,
    step_size,
)

EVERY = tl.constexpr(CHUNK)


@kernel
def scan_forward(
    given: tl.tuple,
    y: tl.tuple,
    SOFTPLUS: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
    STEPS: tl.constexpr,
    RUN: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """Write y and the state after every 128th and the last step."""
    given = Given(*given)  # before 3.7 Triton mistakes the types of tuples in a tuple
    own, size = given.own, given.size
    batch, group, c = owned(size, CHANNELS)
    row, mine = group * size.channels + c, c < size.channels
    lane = lanes(STEPS, RUN)
    states = tl.arange(0, STATES)[None, None, :]
    carry = tl.zeros([CHANNELS, 1, STATES], tl.float32)
    for start in tl.range(0, size.length, STEPS, num_stages=STAGES):
        t = start + lane
        inside, due = mine & (t < size.length), (t + 1) % EVERY == 0
        where = position(t, group, own, size)
        # A lone state's come first: all tiles are laid out over the threads as the last one read.
        B, C = _matrices(given, batch, group, 0, t, where)
        u, d, _ = _sequence(given, batch, group, c, where, inside, SOFTPLUS)
        out = tl.zeros_like(u)
        if own.D is not None:
            out += read(own.D + row, mine) * u
        for s in tl.range(0, size.n):
            if STATES > 1:
                B, C = _matrices(given, batch, group, s, t, where)
            before = tl.sum(tl.where(states == s, carry, 0.0), axis=2, keep_dims=True)
            h = recur(tl.exp2(d * _rate(own, row, s, mine)), (d * u) * B, before, lane)
            out += C * h
            at = kept_at(given.states, batch, group, t // EVERY, s, c)
            tl.store(at, h, mask=inside & due)
            carry = tl.where(states == s, pick(h, lane, STEPS - 1), carry)
        tl.store(address(y, batch, group, c, where), out, mask=inside)
    # Padding left the states as the last step did.
    at = kept_at(given.states, batch, group, (size.length - 1) // EVERY, states, c)
    tl.store(at, carry, mask=mine & (states < size.n))


@kernel
def scan_backward(
    given: tl.tuple,
    come: tl.tuple,
    to: tl.tuple,
    SOFTPLUS: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
    STEPS: tl.constexpr,
    RUN: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """Write the gradients: chunk by chunk from the last, each recomputed from its stored states.

    Sums over all of the channels are written in parts, one for each program, and added later.
    """
    given, come, to = Given(*given), Arriving(*come), Wanted(*to)
    size = given.size
    batch, group, c = owned(size, CHANNELS)
    lane = lanes(STEPS, RUN)
    states = tl.arange(0, STATES)[None, None, :]
    after = tl.zeros([CHANNELS, 1, STATES], tl.float32)
    dA = tl.zeros([CHANNELS, 1, STATES], tl.float32)
    if STATES == 1:
        dA = no_sums(CHANNELS, STEPS // RUN)
    dD, dbias = no_sums(CHANNELS, STEPS // RUN), no_sums(CHANNELS, STEPS // RUN)
    chunks = tl.cdiv(size.length, STEPS)
    for done in tl.range(0, chunks, num_stages=STAGES):
        start = (chunks - 1 - done) * STEPS
        after, dA, more_dD, more_dbias = _one_chunk(
            given, come, to, batch, group, c, start, lane, after, dA, SOFTPLUS, STATES
        )
        # Sums over a thread's own steps; over threads they are taken once, at the end.
        dD += more_dD
        dbias += more_dbias
    dD, dbias = over_steps(dD), over_steps(dbias)
    if STATES == 1:
        dA = over_steps(dA)
    _store_sums(to, size, batch, group, c, states, dA, dD, dbias)


@kernel
def _one_chunk(
    given: tl.tuple,
    come: tl.tuple,
    to: tl.tuple,
    batch: tl.tensor,
    group: tl.tensor,
    c: tl.tensor,
    start: tl.tensor,
    lane: tl.tensor,
    after: tl.tensor,
    dA: tl.tensor,
    SOFTPLUS: tl.constexpr,
    STATES: tl.constexpr,
) -> tl.tuple:
    """Write du and ddelta; give what the chunk's first step passes back, and sums."""
    own, size = given.own, given.size
    t, mine = start + lane, c < size.channels
    inside = mine & (t < size.length)
    where = position(t, group, own, size)
    states = tl.arange(0, STATES)[None, None, :]
    B, C = _matrices(given, batch, group, 0, t, where)
    g = read(address(come.y, batch, group, c, where), inside)
    u, d, slope = _sequence(given, batch, group, c, where, inside, SOFTPLUS)
    dx, dd = tl.zeros_like(u), tl.zeros_like(u)
    for s in tl.range(0, size.n):
        carried = tl.sum(tl.where(states == s, after, 0.0), axis=2, keep_dims=True)
        if STATES > 1:
            B, C = _matrices(given, batch, group, s, t, where)
        carried, more_dA, more_dx, more_dd = _one_state(
            given, come, to, batch, group, c, s, start, where, lane, u, d, g, B, C, carried
        )
        dx += more_dx
        dd += more_dd
        after = tl.where(states == s, carried, after)
        if STATES > 1:
            more_dA = tl.where(states == s, over_steps(more_dA), 0.0)
        dA += more_dA
    ddelta, du = slope * (dd * LN_2 + u * dx), d * dx
    if own.D is not None:
        du += read(own.D + group * size.channels + c, mine) * g
    tl.store(address(to.u, batch, group, c, where), du, mask=inside)
    tl.store(address(to.delta, batch, group, c, where), ddelta, mask=inside)
    dD, dbias = tl.sum(g * u, axis=IN_RUN, keep_dims=True), tl.sum(ddelta, IN_RUN, keep_dims=True)
    return after, dA, dD, dbias


@kernel
def _one_state(
    given: tl.tuple,
    come: tl.tuple,
    to: tl.tuple,
    batch: tl.tensor,
    group: tl.tensor,
    c: tl.tensor,
    s: tl.tensor,
    start: tl.tensor,
    where: tl.tensor,
    lane: tl.tensor,
    u: tl.tensor,
    d: tl.tensor,
    g: tl.tensor,
    B: tl.tensor,
    C: tl.tensor,
    after: tl.tensor,
) -> tl.tuple:
    """Write one state's parts of dB and dC; give what its first step passes back, and sums."""
    own, size = given.own, given.size
    t, mine = start + lane, c < size.channels
    rate = _rate(own, group * size.channels + c, s, mine)
    at = kept_at(given.states, batch, group, start // EVERY - 1, s, c)
    a, x = tl.exp2(d * rate), (d * u) * B
    before = read(at, c < tl.where(start > 0, size.channels, 0))
    decayed = recur_decayed(a, x, before, lane)
    dh = g * C
    if come.states is not None:
        due = ((t + 1) % EVERY == 0) | (t + 1 == size.length)
        at = kept_at(come.states, batch, group, t // EVERY, s, c)
        dh += read(at, mine & (t < size.length) & due)
    dh = recur_back(a, dh, after, lane)
    through = dh * decayed
    block = (tl.program_id(0) % tl.cdiv(size.channels, c.shape[0])).to(tl.int64)
    dB, dC = (
        tl.sum(dh * (d * u), axis=0, keep_dims=True),
        tl.sum(g * (decayed + x), axis=0, keep_dims=True),
    )
    tl.store(address(to.B, batch, group, s, where) + block * to.B.block, dB, mask=t < size.length)
    tl.store(address(to.C, batch, group, s, where) + block * to.C.block, dC, mask=t < size.length)
    dA = tl.sum(through * d, axis=IN_RUN, keep_dims=True)
    return pick(a * dh, lane, 0), dA, dh * B, through * rate


@kernel
def _matrices(
    given: tl.tuple,
    batch: tl.tensor,
    group: tl.tensor,
    s: tl.tensor,
    t: tl.tensor,
    where: tl.tensor,
) -> tl.tuple:
    B = read(address(given.B, batch, group, s, where), t < given.size.length)
    C = read(address(given.C, batch, group, s, where), t < given.size.length)
    return B, C


@kernel
def _sequence(
    given: tl.tuple,
    batch: tl.tensor,
    group: tl.tensor,
    c: tl.tensor,
    where: tl.tensor,
    inside: tl.tensor,
    SOFTPLUS: tl.constexpr,
) -> tl.tuple:
    """u, the step size, zero in padding, which leaves every state as it is, and its slope."""
    u = read(address(given.u, batch, group, c, where), inside)
    raw = read(address(given.delta, batch, group, c, where), inside)
    if given.own.bias is not None:
        raw += read(given.own.bias + group * given.size.channels + c, c < given.size.channels)
    d, slope = step_size(raw, SOFTPLUS)
    return u, tl.where(inside, d, 0.0), slope


@kernel
def _rate(own: tl.tuple, row: tl.tensor, s: tl.tensor, mine: tl.tensor) -> tl.tensor:
    return read(own.A + row * own.A_row + s, mine) * LOG2_E


@kernel
def _store_sums(
    to: tl.tuple,
    size: tl.tuple,
    batch: tl.tensor,
    group: tl.tensor,
    c: tl.tensor,
    s: tl.tensor,
    dA: tl.tensor,
    dD: tl.tensor,
    dbias: tl.tensor,
) -> None:
    mine = c < size.channels
    row = (batch * size.groups + group) * size.channels + c
    tl.store(to.A + row * size.n + s, dA, mask=mine & (s < size.n))
    if to.D is not None:
        tl.store(to.D + row, dD, mask=mine)
    if to.bias is not None:
        tl.store(to.bias + row, dbias, mask=mine)
