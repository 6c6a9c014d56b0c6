"""What a compiled CPU kernel is given: one C table of pointers, read here from inside numba.

Every thread of an OpenMP team enters the kernel with the same table; thread ``thread_number()``
takes the tasks thread_number(), thread_number() + team_size(), ... Slot 0 holds the sizes, the
others arrays, null where an argument is absent.

Indices are unsigned throughout: numba asks of a signed one whether it is negative, which keeps a
loop from being vectorised; and a signed and an unsigned integer make a float.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from remamber.ops._cpu_compile import Floats, Index, Pointer, exactly
from remamber.ops._cpu_vector import pointer_into

Table: TypeAlias = Any
"""The C table of pointers."""
THREAD_NUMBER, TEAM_SIZE = "remamber_thread_number", "remamber_team_size"
thread_number: Any = types.ExternalFunction(THREAD_NUMBER, types.int32())
team_size: Any = types.ExternalFunction(TEAM_SIZE, types.int32())
SIGNATURE = types.void(types.CPointer(types.voidptr))  # type: ignore[no-untyped-call]
index = np.uint64


@exactly
def size(table: Table, slot: int) -> Index:
    """One of the sizes."""
    return carray(table[0], 1 << 62, np.uint64)[slot]


@exactly
def floats(table: Table, slot: int) -> Floats:
    """A slot's float32 array, its length left open: every index comes from the sizes."""
    return carray(table[slot], 1 << 62, np.float32)


@exactly
def pointer(table: Table, slot: int) -> Pointer:
    """The same as a bare address, which costs nothing to hand on."""
    return pointer_into(floats(table, slot), index(0))


@exactly
def pointer_to(table: Table, slot: int, at: Index) -> Pointer:
    """The address of one element of a slot's array."""
    return pointer_into(floats(table, slot), at)
