"""JSON files of hundreds of megabytes: read once, hashed, and refused where they break off."""

import gc
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets._damaged import damaged

LARGEST = 4 * 2**30
"""Bytes above which a file is not read: no annotation file in circulation is half as large."""


class ReadFile(NamedTuple):
    """What a file holds, and the sha256 (hexadecimal) of its bytes."""

    content: Any
    sha256: str


def read_json(path: Path) -> ReadFile:
    """Read a JSON file in UTF-8.

    Raises:
        UserError: it cannot be read, is too large, cut short or not JSON (exit 6), with the
            line and column.
    """
    text, size, digest = _text(path)
    try:
        with collector_paused():
            return ReadFile(json.loads(text), digest)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} of {size:,} bytes"
        what = f"'{path.name}' is not whole JSON ({error.msg} at {place})"
        # The error holds the whole text: it must not be kept as this one's cause.
        raise damaged(what, path) from None
    except RecursionError as error:
        raise damaged(f"'{path.name}' is not JSON of annotations ({error})", path) from None
    except ValueError:
        what = (
            f"'{path.name}' is not JSON of annotations (it holds a number of thousands of digits)"
        )
        raise damaged(what, path) from None


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        UserError: it cannot be read or is too large to be annotations (exit 6).
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            limit = f"{LARGEST // 2**30} GiB is the limit"
            raise damaged(f"'{path.name}' is too large: {size:,} bytes, {limit}", path)
        return path.read_bytes()
    except OSError as error:
        raise damaged(f"'{path.name}' cannot be read ({error.strerror})", path) from error


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile: among millions of new lists it takes half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _text(path: Path) -> tuple[str, int, str]:
    """The text of a file, its size in bytes and their sha256; the bytes are let go."""
    raw = read_whole(path)
    _refuse_cut_short(raw, path)
    try:
        return raw.decode("utf-8-sig"), len(raw), hashlib.sha256(raw).hexdigest()
    except UnicodeDecodeError as error:
        place = f"{error.reason} at byte {error.start:,}"
        raise damaged(f"'{path.name}' is not JSON in UTF-8 ({place})", path) from None


def _refuse_cut_short(raw: bytes, path: Path) -> None:
    """A file that breaks off is found by its last character, before any of it is parsed."""
    start, end = raw[:64].lstrip()[:1], raw[-64:].rstrip()[-1:]
    closing = {b"{": b"}", b"[": b"]"}.get(start)
    if closing is None or end in (closing, b""):
        return
    line = raw.count(b"\n") + 1
    column = len(raw) - raw.rfind(b"\n")
    place = f"line {line} column {column} of {len(raw):,} bytes"
    what = f"'{path.name}' is not whole JSON (it breaks off before its last {closing.decode()}"
    raise damaged(f"{what} at {place})", path)
