"""The error for a folder that data cannot be written to (exit 3)."""

import errno
from pathlib import Path

from remamber.errors import ExitCode, UserError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def cannot_write(what: str, folder: Path, error: OSError, *, otherwise: str) -> UserError:
    """A UserError of slug ``disk_full`` or ``not_writable``, with what the system says.

    Args:
        what: the data, such as ``generated data``.
        folder: where they were to be written.
        error: what the system raised.
        otherwise: a fix that writes them elsewhere.
    """
    full, closed = error.errno in _FULL, error.errno in _CLOSED
    why = "no space left on the disk" if full else error.strerror or str(error)
    first = ["free some space and run the same command again"] if full else []
    return UserError(
        f"cannot write {what} to {folder}: {why}",
        where=["nothing was left half-written"],
        fix=[*first, *([f"make {folder.parent} writable"] if closed else []), otherwise],
        exit_code=ExitCode.MISSING,
        slug="disk_full" if full else "not_writable",
        path=str(folder),
    )
