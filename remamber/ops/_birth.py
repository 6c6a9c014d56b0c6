"""Whether this process was forked: in one that was, the threads of its parent's OpenMP are gone."""

import os
from functools import cache
from pathlib import Path

_BIRTH = os.getpid()
_FORKED_AND_NOT_RENEWED = 0x40
"""The kernel's PF_FORKNOEXEC: no program was started since the fork."""


def forked() -> bool:
    """Whether this process was forked after torch was loaded, as far as can be told.

    A process that was forked before this package was imported is told by the kernel, on Linux;
    there one that was forked before torch too, as a fork server's are, is taken for one more.
    """
    return os.getpid() != _BIRTH or _forked_before()


@cache
def _forked_before() -> bool:
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        # The second field is the program's name, in brackets, with any character in it.
        return bool(int(fields.rpartition(")")[2].split()[6]) & _FORKED_AND_NOT_RENEWED)
    except (OSError, IndexError, ValueError):
        return False
