"""Keeps the C library from giving large tensors back to the kernel after every operation.

glibc maps each large block anew, and its pages are then faulted in one by one: on a CPU that
costs more than the arithmetic. With these settings freed memory is reused instead.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_KEEP = 2**31 - 1
_PAD = 64 * 2**20


def keep_freed_memory() -> bool:
    """Ask glibc to serve all blocks from the heap and to keep it; false on other libraries."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    asked = [(_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEEP), (_TOP_PAD, _PAD)]
    return all([mallopt(option, value) == 1 for option, value in asked])
