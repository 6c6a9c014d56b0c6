"""LMDB files of CRIS: the values in order, each opened by the restricted unpickler."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from remamber.datasets._damaged import damaged
from remamber.datasets._sources._lmdb_pages import (
    BrokenPagesError,
    Meta,
    Read,
    look_up,
    read_meta,
    reader,
)
from remamber.datasets._unpickle import load_plain_pickle
from remamber.errors import UserError

_PYARROW = b"\0\0\0\0"
"""How a value of pyarrow's old serialisation begins: it holds no tensors."""
LARGEST_VALUE = 64 * 2**20


class LmdbFile:
    """One split, open for reading.

    Args:
        path: the ``SPLIT.lmdb`` file, or the folder of that name with ``data.mdb``.
        read: gives bytes of it.
        meta: what it says of itself.
    """

    def __init__(self, path: Path, read: Read, meta: Meta) -> None:
        self.path = path
        self._read = read
        self._meta = meta

    def keys(self) -> list[bytes]:
        """The keys of all rows in order.

        Raises:
            UserError: the file has no whole list of keys (exit 6).
        """
        length, keys = self.value(b"__len__"), self.value(b"__keys__")
        whole = isinstance(keys, list) and all(isinstance(key, bytes | str) for key in keys)
        if not whole or not isinstance(length, int):
            raise damaged(f"'{self.path.name}' has no list of its keys", self.path)
        if length != len(keys):
            raise damaged(
                f"'{self.path.name}' says that it holds {length:,} rows and lists {len(keys):,}",
                self.path,
            )
        return [key.encode("latin1", "replace") if isinstance(key, str) else key for key in keys]

    def value(self, key: bytes) -> Any:  # noqa: ANN401 - the caller checks
        """What stands under a key.

        Raises:
            UserError: nothing does, or it is no plain pickle (exit 6).
        """
        try:
            raw = look_up(self._read, self._meta, key, limit=LARGEST_VALUE)
        except (BrokenPagesError, OSError) as error:
            raise _not_whole(self.path, error) from error
        if raw is None:
            name = key.decode("latin1")
            what = f"'{self.path.name}' is not whole: nothing under the key '{name:.40}'"
            raise damaged(what, self.path)
        if raw.startswith(_PYARROW):
            raise _serialised_by_pyarrow(self.path)
        return load_plain_pickle(raw, path=self.path)


@contextmanager
def open_lmdb(path: Path) -> Iterator[LmdbFile]:
    """Open one split for reading; no lock file is written.

    Raises:
        UserError: the file is no LMDB or cut short (exit 6).
    """
    try:
        stream = data_file(path).open("rb")
    except OSError as error:
        raise damaged(f"'{path.name}' cannot be read ({error.strerror})", path) from error
    with stream:
        read = reader(stream.fileno())
        try:
            meta = read_meta(read)
        except (BrokenPagesError, OSError) as error:
            raise _not_whole(path, error) from error
        wanted, found = (meta.last + 1) * meta.page_size, data_file(path).stat().st_size
        if found < wanted:
            what = f"'{path.name}' is cut short: {found:,} of {wanted:,} bytes"
            raise damaged(what, path)
        yield LmdbFile(path, read, meta)


def data_file(path: Path) -> Path:
    """The file that holds an LMDB's pages."""
    return path / "data.mdb" if path.is_dir() else path


def _not_whole(path: Path, error: Exception) -> UserError:
    return damaged(f"'{path.name}' is not a whole LMDB ({error})", path)


def _serialised_by_pyarrow(path: Path) -> UserError:
    return damaged(
        f"'{path.name}' is in pyarrow's old serialisation, which pyarrow no longer reads",
        path,
        fix=[
            "read what it was made from: remamber-bench data convert anns/refcoco --shape cris",
            "or write it again where it was made, with pickle.dumps in place of pa.serialize",
        ],
    )
