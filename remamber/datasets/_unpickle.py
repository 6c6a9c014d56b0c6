"""Pickles that hold containers and scalars only: REFER's ``refs(*).p`` and nothing that runs code.

A pickle is a program that may call anything it names. REFER's files and others' LMDB values come
from third-party mirrors, so every name but ``set`` and ``frozenset``, which have no opcode before
protocol 4, is refused before it is looked up. What it may cost is limited too.
"""

import builtins
import io
import pickle
from pathlib import Path
from typing import Any

from remamber.datasets._damaged import FETCH_AGAIN, damaged
from remamber.datasets._pickle_limits import ExcessError, check_limits
from remamber.datasets._shown import shown
from remamber.errors import UserError

_MODULES = frozenset({"builtins", "__builtin__"})
_NAMES = frozenset({"set", "frozenset"})


def load_plain_pickle(content: bytes, *, path: Path) -> Any:  # noqa: ANN401 - the caller checks
    """The containers and scalars of a pickle of protocol 0 to 5; nothing in it is executed.

    Byte strings of Python 2 are read as latin-1.

    Args:
        content: the bytes of the file.
        path: where they came from, for messages.

    Raises:
        UserError: the pickle names anything else, is cut short, costs more than what it holds
            or is no pickle (exit 6).
    """
    try:
        check_limits(content)
    except ExcessError as error:
        raise _unreadable(error, content, path) from error
    reader = _PlainUnpickler(io.BytesIO(content), encoding="latin1")
    try:
        loaded = reader.load()
    # A damaged stream drives the pickle machine into errors of almost any kind.
    except Exception as error:
        if reader.refused is not None:
            raise _refused(reader.refused, path) from None
        raise _unreadable(error, content, path) from error
    return loaded


class _PlainUnpickler(pickle.Unpickler):
    """Looks up two builtins; remembers the first other name that a pickle asked for."""

    refused: str | None = None

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - pickle's signature
        if module in _MODULES and name in _NAMES:
            return getattr(builtins, name)
        raise self._refusal(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - pickle's signature
        raise self._refusal(f"persistent object {shown(pid)}")

    def _refusal(self, name: str) -> pickle.UnpicklingError:
        self.refused = self.refused or name
        return pickle.UnpicklingError(f"refused {name}")


def _unreadable(error: Exception, content: bytes, path: Path) -> UserError:
    return damaged(
        f"'{path.name}' is not a readable pickle ({error or type(error).__name__})",
        path,
        where=[f"size  {len(content):,} bytes"],
    )


def _refused(name: str, path: Path) -> UserError:
    return damaged(
        f"'{path.name}' is refused: reading it would load {name[:100]!r}",
        path,
        where=["it should hold lists, dicts, text and numbers only; nothing in it was run"],
        fix=["do not open this file with other programs", FETCH_AGAIN],
    )
