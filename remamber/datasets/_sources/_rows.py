"""Rows of files that other projects wrote: every field is looked at before it is believed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, overload

from remamber.datasets._annotations import MOST_PIXELS
from remamber.datasets._damaged import damaged
from remamber.datasets._shown import shown

T = TypeVar("T")
U = TypeVar("U")
_LARGEST_ID = 2**63
_LONGEST_NAME = 255
"""Bytes of a file's name on any usual disk."""


class WrongRowError(ValueError):
    """Says which row of a file is not what its shape has there."""


def each(rows: Any, label: str, parse: Callable[[Any], T]) -> Iterator[T]:  # noqa: ANN401
    """The parsed rows of a list; an error says which row it was.

    Raises:
        WrongRowError: it is no list, or ``parse`` raised one.
    """
    if not isinstance(rows, list):
        found = "nothing" if rows is None else f"a {type(rows).__name__}"
        raise WrongRowError(f"{found} where the list of {label} should be")
    for number, row in enumerate(rows):
        try:
            yield parse(row)
        except WrongRowError as error:
            raise WrongRowError(f"{label}[{number}]: {error}") from None


@overload
def field(row: Any, key: str, kind: type[T], /) -> T: ...  # noqa: ANN401


@overload
def field(row: Any, key: str, kind: type[T], other: type[U], /) -> T | U: ...  # noqa: ANN401


def field(row: Any, key: str, *kinds: type[Any]) -> Any:  # noqa: ANN401
    """The value under a key, of one of the kinds.

    Raises:
        WrongRowError: the row is no dict, has no such key or has something else under it.
    """
    if not isinstance(row, dict):
        raise WrongRowError(f"a {type(row).__name__} where a dict should be")
    if key not in row:
        raise WrongRowError(f"no '{key}'")
    value = row[key]
    too_large = isinstance(value, int) and abs(value) >= _LARGEST_ID
    if too_large or not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise WrongRowError(f"'{key}' is {shown(value)}, expected {expected}")
    return value


def file_name(row: Any, key: str) -> str:  # noqa: ANN401
    """A file's name relative to its folder, which it does not leave.

    Raises:
        WrongRowError: it is none, too long, absolute, or climbs out of the folder.
    """
    text = field(row, key, str)
    name = PurePosixPath(text)
    if "\0" in text or "\\" in text or name.is_absolute() or ".." in name.parts:
        raise WrongRowError(f"'{key}' leaves its folder: {shown(text)}")
    encoded = [part.encode("utf-8", "replace") for part in name.parts]
    if not encoded or max(map(len, encoded)) > _LONGEST_NAME or not is_text(text):
        raise WrongRowError(f"'{key}' cannot name a file: {shown(text)}")
    return str(name)


def is_text(text: str) -> bool:
    """Whether it can be written in UTF-8: JSON and old pickles may hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_pixels(height: int, width: int) -> None:
    """Refuse the size of a picture that would fill the memory.

    Raises:
        WrongRowError: it has more pixels than any photograph of these data sets by far.
    """
    if height * width > MOST_PIXELS:
        raise WrongRowError(f"{width}x{height} pixels, more than any photograph")


@contextmanager
def rows_of(path: Path, what: str) -> Iterator[None]:
    """Turn a wrong row into the error that the user sees (exit 6): ``path`` is not ``what``."""
    try:
        yield
    except WrongRowError as error:
        raise damaged(f"'{path.name}' is not {what}: {error}", path) from error
