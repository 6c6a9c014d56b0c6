"""Parquet files of a data set hub: which splits there are, and their rows one after the other."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from remamber.datasets._damaged import damaged
from remamber.datasets._sources._place import files_in
from remamber.datasets._sources._rows import WrongRowError, rows_of
from remamber.errors import ExitCode, UserError

T = TypeVar("T")

LARGEST_GROUP = 8 * 2**30
"""Bytes of a group of rows, unpacked: a file may announce more than it is long."""
_BATCH = 64
_OLDEST = 15
_UNREADABLE = (OSError, ValueError, ArithmeticError, LookupError, TypeError, RuntimeError)
"""What pyarrow raises of damaged files; an unknown codec is a RuntimeError."""


class Place(NamedTuple):
    """Where a row stands: the file, and the number of the row in it."""

    path: Path
    row: int


def split_files(path: Path) -> dict[str, list[Path]]:
    """The parquet files of each split: ``train-00000-of-00004-0a1b.parquet`` is of ``train``."""
    found: dict[str, list[Path]] = {}
    for file in files_in(path, "*.parquet") or files_in(path, "data/*.parquet"):
        found.setdefault(file.stem.split("-")[0], []).append(file)
    return found


def columns_of(path: Path) -> set[str]:
    """Names of a file's columns.

    Raises:
        UserError: the package pyarrow is not installed or too old (exit 3), or the file is no
            parquet or unpacks to too much (exit 6).
    """
    return set(_open(path).schema_arrow.names)


def rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a file as plain values, of the named columns only.

    Raises:
        UserError: as ``columns_of``, or the file breaks off (exit 6).
    """
    opened = _open(path)
    missing = [column for column in columns if column not in opened.schema_arrow.names]
    if missing:
        what = f"'{path.name}' has no column {' and no '.join(map(repr, missing))}"
        raise damaged(what, path, where=[f"columns  {', '.join(opened.schema_arrow.names)}"])
    try:
        for batch in opened.iter_batches(batch_size=_BATCH, columns=list(columns)):
            yield from batch.to_pylist()
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def parsed(path: Path, columns: Sequence[str], parse: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """What ``parse`` makes of each row of a file.

    Raises:
        UserError: as ``rows``; ``parse`` raised a WrongRowError (exit 6, with the row's number).
    """
    with rows_of(path, "a parquet file of referring expressions"):
        for number, row in enumerate(rows(path, columns)):
            try:
                yield parse(row)
            except WrongRowError as error:
                raise WrongRowError(f"row {number:,}: {error}") from None


def count(path: Path) -> int:
    """How many rows a file has."""
    return int(_open(path).metadata.num_rows)


def cell(place: Place, column: str) -> Any:  # noqa: ANN401 - the caller checks
    """One value, read without the rest of its file.

    Raises:
        UserError: the file cannot be read (exit 6).
    """
    opened, left = _open(place.path), place.row
    for group in range(opened.num_row_groups):
        length = opened.metadata.row_group(group).num_rows
        if left < length:
            try:
                return opened.read_row_group(group, columns=[column])[column][left].as_py()
            except _UNREADABLE as error:
                raise _unreadable(place.path, error) from error
        left -= length
    raise damaged(f"'{place.path.name}' has no row {place.row:,} any more", place.path)


def _open(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise _extra_missing("reading parquet files needs the package pyarrow") from error
    # Before 14.0.1 a file's own types could have pickles opened (CVE-2023-47248).
    if int(pyarrow.__version__.partition(".")[0]) < _OLDEST:
        what = f"pyarrow {pyarrow.__version__} is not safe to read others' parquet files with"
        raise _extra_missing(what)
    try:
        opened = parquet.ParquetFile(path)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    groups = range(opened.num_row_groups)
    largest = max((opened.metadata.row_group(k).total_byte_size for k in groups), default=0)
    if largest > LARGEST_GROUP:
        raise damaged(
            f"'{path.name}' has {largest:,} bytes in one group of rows",
            path,
            where=[f"limit  {LARGEST_GROUP:,} bytes"],
        )
    return opened


def _extra_missing(what: str) -> UserError:
    return UserError(
        what,
        fix=['pip install "remamber-bench[parquet]"'],
        exit_code=ExitCode.MISSING,
        slug="extra_missing",
    )


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return damaged(f"'{path.name}' is not a whole parquet file ({reason:.120})", path)
