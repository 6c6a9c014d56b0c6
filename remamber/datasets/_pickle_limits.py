"""What a pickle may cost: its opcodes are looked through before any is carried out.

A few bytes can make Python's reader fill the memory or compute for years without naming any
function: a memo index of four thousand millions, or a tuple of twice a tuple of twice a tuple,
forty deep, as a key. No writer of plain data produces either.
"""

import pickletools
from struct import calcsize, unpack_from
from struct import error as StructError

LARGEST = 512 * 2**20
"""Bytes of a pickle: several times those of the largest refs file in circulation."""
MOST_OPCODES = 32 * 10**6
"""Opcodes of a pickle: several times those of the largest refs file in circulation."""

_LENGTH = {
    pickletools.TAKEN_FROM_ARGUMENT1: "<B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}
_INDEX = {"BINPUT": "<B", "LONG_BINPUT": "<I", "BINGET": "<B", "LONG_BINGET": "<I"}
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_MOVES = frozenset({"DUP", "POP", "POP_MARK"})
_BY_CODE = {ord(op.code): op for op in pickletools.opcodes}


class ExcessError(ValueError):
    """A pickle that costs more than what it holds, or that breaks off; the text says how."""


def check_limits(content: bytes) -> None:
    """Look through the opcodes up to the end of the pickle.

    Raises:
        ExcessError: there are too many, one announces more bytes than are left, or the pickle
            uses one that only hostile or damaged ones do.
    """
    if len(content) > LARGEST:
        raise ExcessError(f"{len(content):,} bytes, {LARGEST:,} is the limit")
    try:
        _Look(content).through()
    except (IndexError, StructError):
        raise ExcessError("it breaks off") from None


class _Look:
    """What is known of a pickle before the opcode that is looked at."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._memoized = 0
        self._built_tuple = False
        self._tuples: set[int] = set()

    def through(self) -> None:
        """To the opcode that ends the pickle; plain opcodes are stepped over by a table."""
        content, steps, at, count = self._content, _STEPS, 0, 0
        while (code := content[at]) != _STOP:
            count += 1
            step = steps[code]
            if step:
                at += step
            elif code in _SHORT_TEXT:
                at += 2 + content[at + 1]
            elif code == _MEMOIZE:
                self._memoized += 1
                at += 1
            elif code == _LONG_PUT and unpack_from("<I", content, at + 1)[0] <= len(content):
                at += 5
            else:
                at = self._special(code, at)
                steps = _STEPS_AFTER_TUPLES if self._tuples else _STEPS
        if count > MOST_OPCODES:
            raise ExcessError(f"{count:,} opcodes, {MOST_OPCODES:,} is the limit")

    def _special(self, code: int, at: int) -> int:
        """Look at one opcode that has a length or a meaning; gives where the next one is."""
        op = _BY_CODE.get(code)
        if op is None:
            raise ExcessError(f"byte {code:#04x} at {at:,} is no opcode")
        if op.name in _MOVES and self._built_tuple:
            raise ExcessError(f"opcode {op.name} after a tuple")
        if op.name in _PUTS:
            self._slot(op.name, at)
        if op.name in _GETS and self._slot(op.name, at) in self._tuples:
            raise ExcessError("a tuple that stands in several places")
        after = self._after(op, at)
        if op.name in _TUPLES:
            after = self._remember(after)
        return after

    def _after(self, op: pickletools.OpcodeInfo, at: int) -> int:
        if op.arg is None:
            return at + 1
        if op.arg.n >= 0:
            return at + 1 + op.arg.n
        if op.arg.n == pickletools.UP_TO_NEWLINE:
            lines = 2 if op.name in ("GLOBAL", "INST") else 1
            for _ in range(lines):
                at = self._content.find(b"\n", at + 1)
                if at < 0:
                    raise ExcessError("it breaks off")
            return at + 1
        form = _LENGTH[op.arg.n]
        (length,) = unpack_from(form, self._content, at + 1)
        after: int = at + 1 + calcsize(form) + length
        if length < 0 or after > len(self._content):
            raise ExcessError(f"{op.name} announces {length:,} bytes, which are not there")
        return after

    def _remember(self, at: int) -> int:
        """Note the memo slots that the tuple just built is put into."""
        self._built_tuple = True
        while (op := _BY_CODE.get(self._content[at])) is not None and op.name in _PUTS:
            self._tuples.add(self._slot(op.name, at))
            at = self._after(op, at)
        return at

    def _slot(self, name: str, at: int) -> int:
        """The memo slot of an opcode that puts or gets."""
        if name == "MEMOIZE":
            self._memoized += 1
            return self._memoized - 1
        if name in _INDEX:
            slot = int(unpack_from(_INDEX[name], self._content, at + 1)[0])
        else:
            line = self._content[at + 1 : self._content.find(b"\n", at)]
            slot = int(line) if line.isdigit() and len(line) < 12 else -1
        if not 0 <= slot <= len(self._content):
            raise ExcessError(f"{name} of a memo slot that cannot be")
        return slot


def _steps(special: frozenset[str]) -> list[int]:
    """By opcode, how far the next one is; 0 for those that need a look."""
    plain = {
        code: 1 + (op.arg.n if op.arg else 0)
        for code, op in _BY_CODE.items()
        if op.name not in special and (op.arg is None or op.arg.n >= 0)
    }
    return [plain.get(code, 0) for code in range(256)]


_STOP, _LONG_PUT, _MEMOIZE = ord("."), ord("r"), 0x94
_SHORT_TEXT = (ord("U"), 0x8C)
_WATCHED = _MOVES | _TUPLES | {"LONG_BINPUT", "MEMOIZE"}
_STEPS = _steps(_WATCHED)
_STEPS_AFTER_TUPLES = _steps(_WATCHED | _GETS)
