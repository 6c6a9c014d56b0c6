"""How the CPU kernels are compiled by numba, and the names of what they are given."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Index: TypeAlias = Any
"""np.uint64 once compiled, see ``_cpu_table``."""
Pointer: TypeAlias = Any
"""The address of float32s, indexed as an array is."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
# No nnan or ninf: NaN and infinity must come through. No wrappers: only other kernels call these.
_OPTIONS: dict[str, Any] = {
    "fastmath": {"contract", "nsz"},
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def exactly(function: _Function) -> _Function:
    """Compile for other kernels, never reordering a sum; only products and sums may fuse."""
    return cast(_Function, njit(**_OPTIONS)(function))


def inlined(function: _Function) -> _Function:
    """Compile as ``exactly`` does, into each caller: vectors are not handed over in memory."""
    return cast(_Function, njit(forceinline=True, **_OPTIONS)(function))
