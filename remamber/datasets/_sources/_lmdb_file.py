"""LMDB files of CRIS: the values in order, each opened by the restricted unpickler."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from remamber.datasets._damaged import damaged
from remamber.datasets._unpickle import load_plain_pickle
from remamber.errors import ExitCode, UserError

_PYARROW = b"\0\0\0\0"
"""How a value of pyarrow's old serialisation begins: it holds no tensors."""
LARGEST_VALUE = 64 * 2**20


class LmdbFile:
    """One split: an open LMDB environment, read only.

    Args:
        path: the ``SPLIT.lmdb`` file, or the folder of that name with ``data.mdb``.
    """

    def __init__(self, path: Path, environment: Any) -> None:  # noqa: ANN401
        self.path = path
        self._environment = environment

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
        return [key.encode("latin1") if isinstance(key, str) else key for key in keys]

    def value(self, key: bytes) -> Any:  # noqa: ANN401 - the caller checks
        """What stands under a key.

        Raises:
            UserError: nothing does, or it is no plain pickle (exit 6).
        """
        raw = self._raw(key)
        if raw.startswith(_PYARROW):
            raise _serialised_by_pyarrow(self.path)
        return load_plain_pickle(raw, path=self.path)

    def _raw(self, key: bytes) -> bytes:
        import lmdb

        name = key.decode("latin1")
        try:
            # Looked at before it is copied: a length may be damaged, and lead out of the file.
            with self._environment.begin(write=False, buffers=True) as transaction:
                found = transaction.get(key)
                if found is None:
                    what = f"'{self.path.name}' is not whole: nothing under the key '{name:.40}'"
                    raise damaged(what, self.path)
                if len(found) > min(LARGEST_VALUE, data_file(self.path).stat().st_size):
                    what = f"'{self.path.name}' has {len(found):,} bytes under '{name:.40}'"
                    raise damaged(what, self.path, where=[f"limit  {LARGEST_VALUE:,} bytes"])
                return bytes(found)
        except lmdb.Error as error:
            raise damaged(f"'{self.path.name}' is not a whole LMDB ({error})", self.path) from error


@contextmanager
def open_lmdb(path: Path) -> Iterator[LmdbFile]:
    """Open one split for reading; no lock file is written.

    Raises:
        UserError: the package lmdb is not installed (exit 3), the file is no LMDB or cut short
            (exit 6).
    """
    try:
        import lmdb
    except ImportError as error:
        raise UserError(
            "reading LMDB files needs the package lmdb",
            fix=['pip install "remamber-bench[lmdb]"'],
            exit_code=ExitCode.MISSING,
            slug="extra_missing",
        ) from error
    try:
        environment = lmdb.open(
            str(path),
            subdir=path.is_dir(),
            readonly=True,
            lock=False,
            readahead=False,
            create=False,
        )
    except (lmdb.Error, OSError) as error:
        raise damaged(f"'{path.name}' is not an LMDB ({error})", path) from error
    try:
        _refuse_cut_short(path, environment)
        yield LmdbFile(path, environment)
    finally:
        environment.close()


def data_file(path: Path) -> Path:
    """The file that holds an LMDB's pages."""
    return path / "data.mdb" if path.is_dir() else path


def _refuse_cut_short(path: Path, environment: Any) -> None:  # noqa: ANN401
    """Pages beyond the end of a mapped file would end the process when they are touched."""
    pages = environment.info()["last_pgno"] + 1
    wanted, found = pages * environment.stat()["psize"], data_file(path).stat().st_size
    if found < wanted:
        raise damaged(
            f"'{path.name}' is cut short: {found:,} of {wanted:,} bytes",
            path,
        )


def _serialised_by_pyarrow(path: Path) -> UserError:
    return damaged(
        f"'{path.name}' is in pyarrow's old serialisation, which pyarrow no longer reads",
        path,
        fix=[
            "read what it was made from: remamber-bench data convert anns/refcoco --shape cris",
            "or write it again where it was made, with pickle.dumps in place of pa.serialize",
        ],
    )
