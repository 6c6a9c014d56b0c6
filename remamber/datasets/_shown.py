"""A value of someone else's file, for a message: short, however large or deep it is."""

from collections.abc import Sized

_LONGEST = 40
_LARGEST_BITS = 64


def shown(value: object) -> str:
    """Text and numbers as Python writes them, cut; of anything else only what it is.

    A list that holds twice a list that holds twice a list takes a few bytes to store, and all
    memory to write out.
    """
    if isinstance(value, str | bytes):
        return f"{value[:_LONGEST]!r:.{_LONGEST}}"
    if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
        return f"a number of {value.bit_length():,} bits"
    if value is None or isinstance(value, int | float):
        return repr(value)
    length = f" of {len(value):,}" if isinstance(value, Sized) else ""
    return f"a {type(value).__name__}{length}"
