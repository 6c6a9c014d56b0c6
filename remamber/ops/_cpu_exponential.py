"""exp and softplus for vectors of float32: short polynomials, no call and no table.

numba's own call the C library once an element unless Intel's SVML is at hand, which pip's builds
are not shipped with. Everything takes a float32, a vector or a quad of ``_cpu_vector``. A NaN
comes through, and so do the limits at the infinities; below the smallest normal number is 0.
"""

import numpy as np

from remamber.ops._cpu_compile import inlined
from remamber.ops._cpu_vector import (
    Vector,
    absolute,
    at_least,
    at_most,
    power_of_two,
    where_positive,
)

_f = np.float32
LOG2E = _f(np.log2(np.e))
_ZERO, _ONE = _f(0), _f(1)
_LOWEST, _HIGHEST = _f(-127), _f(128)
_MAGIC = _f(1.5 * 2**23 + 127)
"""Added to a float below 2^22 it rounds it to an integer and leaves that + 127 in the low bits."""

# Minimax of 2^r on [-1/2, 1/2], relative error 9.2e-8, exact at 0.
_E1, _E2, _E3 = _f(0.693146978), _f(0.240222421), _f(0.0555073374)
_E4, _E5 = _f(0.00967151266), _f(0.00132647269)

# Minimax of log(1 + e) / e on [0, 1], relative error 3.4e-8, exact at 0.
_L1, _L2, _L3, _L4 = _f(-0.49999648), _f(0.333213226), _f(-0.248571633), _f(0.191536534)
_L5, _L6, _L7, _L8 = _f(-0.137537991), _f(0.0792044971), _f(-0.0300657686), _f(0.00536481839)


@inlined
def exp2(t: Vector) -> Vector:
    """2^t; relative error 2e-7 for |t| < 1, growing as t's own rounding does."""
    return exp2_below(at_most(t, _HIGHEST))


@inlined
def exp2_below(t: Vector) -> Vector:
    """2^t for t of at most 128: 2^k by its bits times a polynomial in the rest."""
    t = at_least(t, _LOWEST)
    shifted = t + _MAGIC
    r = t - (shifted - _MAGIC)
    p = _E5 * r + _E4
    p = p * r + _E3
    p = p * r + _E2
    p = p * r + _E1
    p = p * r + _ONE
    return p * power_of_two(shifted)


@inlined
def softplus(x: Vector) -> Vector:
    """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), which is x above 20 as in torch."""
    return _softplus_given(x, _decay(x))


@inlined
def softplus_and_slope(x: Vector) -> tuple[Vector, Vector]:
    """Softplus and its derivative, the logistic function, from one exponential."""
    e = _decay(x)
    return _softplus_given(x, e), where_positive(x, _ONE, e) / (e + _ONE)


@inlined
def _decay(x: Vector) -> Vector:
    """e^-|x|."""
    return exp2_below(absolute(x) * -LOG2E)


@inlined
def _softplus_given(x: Vector, e: Vector) -> Vector:
    p = _L8 * e + _L7
    p = p * e + _L6
    p = p * e + _L5
    p = p * e + _L4
    p = p * e + _L3
    p = p * e + _L2
    p = p * e + _L1
    p = p * e + _ONE
    return p * e + at_least(x, _ZERO)
