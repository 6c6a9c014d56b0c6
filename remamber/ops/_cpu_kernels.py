"""The passes of the CPU scan in numba: each one plain loop over a tile of channels and steps.

A tile is a few channels of one group by at most CHUNK steps, small enough for the first-level
cache. The compiler vectorises each pass along the sequence; only the recurrences run step by
step, four channels side by side to hide their latency. ``_cpu_tasks`` puts the passes together.

Names are those of ``reference``; p_t = exp(delta_t A) h_{t-1} and w_t = delta_t u_t.
"""

import numpy as np

from remamber.ops._cpu_math import (
    Doubles,
    Floats,
    Index,
    exactly,
    exp32,
    sigmoid32,
    softplus32,
    summing,
)

# Indices are unsigned throughout: numba asks of a signed one whether it is negative, which keeps
# a loop from being vectorised; and a signed and an unsigned integer make a float.
index = np.uint64
_UNIT, _PAIR, _THREE, _FOUR = index(1), index(2), index(3), index(4)
_ZERO = np.float32(0)


@exactly
def exp_all(x: Floats, size: Index) -> None:
    for i in range(size):
        x[i] = exp32(x[i])


@exactly
def softplus_all(x: Floats, size: Index) -> None:
    for i in range(size):
        x[i] = softplus32(x[i])


@exactly
def slope_all(out: Floats, x: Floats, size: Index) -> None:
    for i in range(size):
        out[i] = sigmoid32(x[i])


@exactly
def clear(out: Floats, size: Index) -> None:
    for i in range(size):
        out[i] = _ZERO


@exactly
def multiply(out: Floats, x: Floats, y: Floats, size: Index) -> None:
    for i in range(size):
        out[i] = x[i] * y[i]


@exactly
def multiply_into(out: Floats, x: Floats, size: Index) -> None:
    for i in range(size):
        out[i] *= x[i]


@exactly
def add_product(out: Floats, x: Floats, y: Floats, size: Index) -> None:
    for i in range(size):
        out[i] += x[i] * y[i]


@exactly
def load(
    tile: Floats, source: Floats, start: Index, pitch: Index, rows: Index, steps: Index
) -> None:
    for r in range(rows):
        for t in range(steps):
            tile[r * steps + t] = source[start + r * pitch + t]


@exactly
def store(
    target: Floats, tile: Floats, start: Index, pitch: Index, rows: Index, steps: Index
) -> None:
    for r in range(rows):
        for t in range(steps):
            target[start + r * pitch + t] = tile[r * steps + t]


@exactly
def by_row(
    out: Floats, x: Floats, factors: Floats, first: Index, pitch: Index, rows: Index, steps: Index
) -> None:
    """Each row of x times its channel's factor, one of A or D."""
    for r in range(rows):
        factor = factors[first + r * pitch]
        for t in range(steps):
            out[r * steps + t] = x[r * steps + t] * factor


@exactly
def add_by_row(
    out: Floats, x: Floats, factors: Floats, first: Index, pitch: Index, rows: Index, steps: Index
) -> None:
    for r in range(rows):
        factor = factors[first + r * pitch]
        for t in range(steps):
            out[r * steps + t] += x[r * steps + t] * factor


@exactly
def shift_rows(x: Floats, offsets: Floats, first: Index, rows: Index, steps: Index) -> None:
    for r in range(rows):
        offset = offsets[first + r]
        for t in range(steps):
            x[r * steps + t] += offset


@exactly
def by_step(
    out: Floats, x: Floats, factors: Floats, first: Index, rows: Index, steps: Index
) -> None:
    """Each column of x times its step's factor, one of B or C."""
    for r in range(rows):
        for t in range(steps):
            out[r * steps + t] = x[r * steps + t] * factors[first + t]


@exactly
def add_by_step(
    out: Floats, x: Floats, factors: Floats, first: Index, rows: Index, steps: Index
) -> None:
    for r in range(rows):
        for t in range(steps):
            out[r * steps + t] += x[r * steps + t] * factors[first + t]


@exactly
def sum_channels(
    out: Floats, x: Floats, y: Floats, first: Index, rows: Index, steps: Index
) -> None:
    for r in range(rows):
        for t in range(steps):
            out[first + t] += x[r * steps + t] * y[r * steps + t]


@exactly
def sum_states(
    out: Floats, dy: Floats, p: Floats, x: Floats, first: Index, rows: Index, steps: Index
) -> None:
    """The channels' sum of dy times the state h = p + x."""
    for r in range(rows):
        for t in range(steps):
            i = r * steps + t
            out[first + t] += dy[i] * (p[i] + x[i])


@summing
def sum_rows(sums: Doubles, x: Floats, first: Index, rows: Index, steps: Index) -> None:
    for r in range(rows):
        total = _ZERO
        for t in range(steps):
            total += x[r * steps + t]
        sums[first + r] += total


@summing
def sum_steps(sums: Doubles, x: Floats, y: Floats, first: Index, rows: Index, steps: Index) -> None:
    for r in range(rows):
        total = _ZERO
        for t in range(steps):
            total += x[r * steps + t] * y[r * steps + t]
        sums[first + r] += total


@exactly
def recur(h: Floats, a: Floats, x: Floats, first: Index, rows: Index, steps: Index) -> None:
    """h_t = a_t h_{t-1} + x_t; x becomes h, and the vector h the last state."""
    for four in range(rows // _FOUR):
        r = first + four * _FOUR
        h0, h1, h2, h3 = h[r], h[r + _UNIT], h[r + _PAIR], h[r + _THREE]
        for t in range(steps):
            i = four * _FOUR * steps + t
            j = i + steps
            k = j + steps
            m = k + steps
            h0 = a[i] * h0 + x[i]
            h1 = a[j] * h1 + x[j]
            h2 = a[k] * h2 + x[k]
            h3 = a[m] * h3 + x[m]
            x[i], x[j], x[k], x[m] = h0, h1, h2, h3
        h[r], h[r + _UNIT], h[r + _PAIR], h[r + _THREE] = h0, h1, h2, h3
    for r in range(rows // _FOUR * _FOUR, rows):
        h0 = h[first + r]
        for t in range(steps):
            h0 = a[r * steps + t] * h0 + x[r * steps + t]
            x[r * steps + t] = h0
        h[first + r] = h0


@exactly
def recur_kept(
    before: Floats, h: Floats, a: Floats, x: Floats, first: Index, rows: Index, steps: Index
) -> None:
    """The same, keeping the state before each step; a and x stay."""
    for four in range(rows // _FOUR):
        r = first + four * _FOUR
        h0, h1, h2, h3 = h[r], h[r + _UNIT], h[r + _PAIR], h[r + _THREE]
        for t in range(steps):
            i = four * _FOUR * steps + t
            j = i + steps
            k = j + steps
            m = k + steps
            before[i], before[j], before[k], before[m] = h0, h1, h2, h3
            h0 = a[i] * h0 + x[i]
            h1 = a[j] * h1 + x[j]
            h2 = a[k] * h2 + x[k]
            h3 = a[m] * h3 + x[m]
    for r in range(rows // _FOUR * _FOUR, rows):
        h0 = h[first + r]
        for t in range(steps):
            before[r * steps + t] = h0
            h0 = a[r * steps + t] * h0 + x[r * steps + t]


@exactly
def recur_back(g: Floats, q: Floats, a: Floats, first: Index, rows: Index, steps: Index) -> None:
    """dh_t = g_t + q, q = a_t dh_t from the last step to the first; g becomes dh."""
    for four in range(rows // _FOUR):
        r = first + four * _FOUR
        q0, q1, q2, q3 = q[r], q[r + _UNIT], q[r + _PAIR], q[r + _THREE]
        for back in range(steps):
            i = (four * _FOUR + _UNIT) * steps - back - _UNIT
            j = i + steps
            k = j + steps
            m = k + steps
            g0, g1, g2, g3 = g[i] + q0, g[j] + q1, g[k] + q2, g[m] + q3
            g[i], g[j], g[k], g[m] = g0, g1, g2, g3
            q0, q1, q2, q3 = a[i] * g0, a[j] * g1, a[k] * g2, a[m] * g3
        q[r], q[r + _UNIT], q[r + _PAIR], q[r + _THREE] = q0, q1, q2, q3
    for r in range(rows // _FOUR * _FOUR, rows):
        q0 = q[first + r]
        for back in range(steps):
            i = (r + _UNIT) * steps - back - _UNIT
            g0 = g[i] + q0
            g[i] = g0
            q0 = a[i] * g0
        q[first + r] = q0
