"""exp, softplus and sigmoid in float32 for numba, plain enough for the compiler to vectorise.

numba's own call the C library once an element unless Intel's SVML is at hand, which pip's
builds are not shipped with. Also the decorators by which all kernels are compiled.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Index: TypeAlias = Any
"""np.uint64 once compiled, see ``index``."""
Scalar: TypeAlias = Any
"""np.float32 once compiled."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
# No nnan or ninf: NaN and infinity must come through.
_EXACT = {"contract", "nsz"}


def exactly(function: _Function) -> _Function:
    """Compile without reordering a sum; only products and sums may fuse."""
    compiled = njit(cache=True, fastmath=_EXACT, error_model="numpy")(function)
    return cast(_Function, compiled)


def summing(function: _Function) -> _Function:
    """Compile with leave to reorder sums, which a vectorised sum over steps needs."""
    compiled = njit(cache=True, fastmath={*_EXACT, "reassoc"}, error_model="numpy")(function)
    return cast(_Function, compiled)


_f = np.float32

_LOG2E, _LN2 = _f(np.log2(np.e)), _f(np.log(2))
_ZERO, _ONE, _TWO, _HALF = _f(0), _f(1), _f(2), _f(0.5)
_INF = _f(np.inf)
_LOWEST, _HIGHEST = _f(-87.0), _f(88.0)
_IDENTITY_ABOVE = _f(20)
_E2, _E3, _E4, _E5, _E6, _E7 = (_f(1 / f) for f in (2, 6, 24, 120, 720, 5040))
_L1, _L2, _L3, _L4, _L5, _L6, _L7 = (_f(1 / f) for f in (3, 5, 7, 9, 11, 13, 15))


@exactly
def exp32(x: Scalar) -> Scalar:
    """E to the x: 2^k by its bits times a Taylor polynomial on [-ln 2 / 2, ln 2 / 2].

    Relative error about 1e-7; 0 below -87, infinite above 88, NaN for NaN.
    """
    k = np.floor(x * _LOG2E + _HALF)
    r = x - k * _LN2
    p = _E7
    p = p * r + _E6
    p = p * r + _E5
    p = p * r + _E4
    p = p * r + _E3
    p = p * r + _E2
    p = p * r + _ONE
    p = p * r + _ONE
    inside = x > _LOWEST and x < _HIGHEST
    bits = np.int32((np.int32(k if inside else _ZERO) + 127) << 23)
    y = p * bits.view(np.float32)
    y = _INF if x >= _HIGHEST else y
    return _ZERO if x <= _LOWEST else y


@exactly
def softplus32(x: Scalar) -> Scalar:
    """log(1 + e^x) as max(x, 0) + log1p(e), e = e^-|x|; the identity above 20 as in torch.

    log1p(e) = 2 artanh(e / (2 + e)), whose series in the square, at most 1/9, is short.
    """
    e = exp32(-abs(x))
    s = e / (_TWO + e)
    q = s * s
    p = _L7
    p = p * q + _L6
    p = p * q + _L5
    p = p * q + _L4
    p = p * q + _L3
    p = p * q + _L2
    p = p * q + _L1
    p = p * q + _ONE
    above = x if x > _ZERO else _ZERO
    y = above + _TWO * s * p
    return x if x > _IDENTITY_ABOVE or x != x else y


@exactly
def sigmoid32(x: Scalar) -> Scalar:
    """Slope of ``softplus32``: 1 / (1 + e^-x), and one above 20."""
    e = exp32(-abs(x))
    y = (_ONE if x > _ZERO else e) / (_ONE + e)
    y = x if x != x else y
    return _ONE if x > _IDENTITY_ABOVE else y
