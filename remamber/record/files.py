"""Files that exist whole or not at all: temporary name, fsync, rename, fsync of the folder."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from remamber.errors import ExitCode, UserError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under its name only once it is complete.

    Raises:
        UserError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write bytes, or text as UTF-8, so that a crash leaves the old file or the new one.

    Raises:
        UserError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    with whole_file(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder so that it is kept but not read again.

    Returns:
        The new path: ``<name>.damaged``, numbered if that is taken.
    """
    for number in range(1, 1000):
        suffix = ".damaged" if number == 1 else f".damaged-{number}"
        target = path.with_name(path.name + suffix)
        if not target.exists():
            return path.rename(target)
    raise FileExistsError(f"{path} has 1000 damaged copies")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError, path: Path) -> OSError | UserError:
    if error.errno in _NO_SPACE:
        return UserError(
            f"no space left on the disk while writing {path}",
            where=["nothing was left half-written; finished runs are safe"],
            fix=["free some space and run the same command again, or --store a folder elsewhere"],
            exit_code=ExitCode.MISSING,
            slug="disk_full",
            path=str(path),
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            f"cannot write {path}: {error.strerror}",
            fix=["give a folder that you may write to with --store or --out"],
            exit_code=ExitCode.MISSING,
            slug="not_writable",
            path=str(path),
        )
    return error
