"""Room for large results on the CPU, asked for in huge pages.

torch gives a large tensor back to the system when it is freed, so that the next one of its size is
mapped page by page as it is written: of a 60 MB result that takes longer than its arithmetic. Huge
pages cut this to a third. Where the system has none, nothing changes.
"""

import ctypes
import mmap
import sys
from functools import cache
from typing import Any

from torch import Tensor

_WORTH_BYTES = 1 << 23
_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)


def empty(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of ``like``'s dtype."""
    tensor = like.new_empty(shape)
    if tensor.nbytes >= _WORTH_BYTES and (advise := _advice()):
        start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        stop = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        advise(start, stop - start, _HUGE_PAGES)
    return tensor


@cache
def _advice() -> Any:  # noqa: ANN401  (a C function, or None)
    if _HUGE_PAGES is None or not sys.platform.startswith("linux"):
        return None
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is not None:
        advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return advise
