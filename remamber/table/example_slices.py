"""Conditions on an expression, such as ``needs=location``, held against what the counts know."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.errors import ExitCode, UserError
from remamber.metrics import Counts
from remamber.registry import unknown
from remamber.table.counts import CountsFile
from remamber.table.slice_rules import SLICINGS, Slicing

_CONDITION = re.compile(r"^\s*([a-z_]+)\s*(<=|>=|=|<|>)\s*(\S.*?)\s*$")
_NUMBER = re.compile(r"^-?\d+$")
_OPERATORS: dict[str, Callable[[Counts, int], NDArray[np.bool_]]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_BY_NAME = {slicing.name: slicing for slicing in SLICINGS}

_Kept = NDArray[np.bool_]


class _Condition(NamedTuple):
    name: str
    sign: str
    value: str


def kept(counts: CountsFile, split: str, conditions: Sequence[str]) -> _Kept:
    """Which expressions of a split fulfil all conditions, in the order of ``CountsFile.of``.

    Args:
        counts: of any run that scored the split.
        split: name of the split.
        conditions: a slicing of the tables and one of its slices (``needs=location``), or a
            column of the counts, a comparison and a whole number (``target<200``).

    Raises:
        UserError: a condition cannot be read, or the counts do not hold its column.
    """
    columns = counts.ordered(split)
    found = np.ones(len(columns["sent_id"]), dtype=np.bool_)
    for condition in conditions:
        found &= _fulfils(condition, columns)
    return found


def require_condition(text: str) -> str:
    """The condition, if it can be read.

    Raises:
        UserError: it cannot.
    """
    name, sign, value = _parts(text)
    if name in _BY_NAME:
        _label(_BY_NAME[name], sign, value)
    elif not _NUMBER.match(value):
        raise _no_number(text)
    return text


def _parts(condition: str) -> _Condition:
    match = _CONDITION.match(condition)
    if match is None:
        raise UserError(
            f"'{condition}' is no condition on an expression",
            where=[f"slices  {', '.join(_BY_NAME)}, each with one of its parts"],
            fix=["--slice needs=location", "--slice 'target<200': a column of the counts"],
            slug="bad_slice",
        )
    return _Condition(*match.groups())


def _fulfils(condition: str, columns: Mapping[str, Counts]) -> _Kept:
    name, sign, value = _parts(condition)
    if name in _BY_NAME:
        return _in_slice(_BY_NAME[name], _label(_BY_NAME[name], sign, value), columns)
    if name not in columns:
        raise unknown("slice or column", name, [*_BY_NAME, *sorted(columns)])
    if not _NUMBER.match(value):
        raise _no_number(condition)
    return _OPERATORS[sign](columns[name], int(value))


def _in_slice(slicing: Slicing, label: str, columns: Mapping[str, Counts]) -> _Kept:
    places = slicing.places(columns)
    if places is None:
        raise UserError(
            f"the counts do not know {slicing.title}",
            where=["they are of before it was recorded, or of data that do not say it"],
            fix=["leave that --slice out", "run the study again with --fresh"],
            exit_code=ExitCode.MISSING,
            slug="slice_not_recorded",
        )
    found: _Kept = places == slicing.labels.index(label)
    return found


def _label(slicing: Slicing, sign: str, value: str) -> str:
    """The slice that a value names, by its beginning if that is clear."""
    wanted = value.casefold()
    exact = [label for label in slicing.labels if label.casefold() == wanted]
    near = exact or [label for label in slicing.labels if label.casefold().startswith(wanted)]
    if sign != "=" or len(near) != 1:
        raise UserError(
            f"--slice {slicing.name}{sign}{value} names no slice",
            where=[f"slices of {slicing.name}  {', '.join(slicing.labels)}"],
            fix=[f"--slice '{slicing.name}={slicing.labels[-1]}'"],
            slug="bad_slice",
        )
    return near[0]


def _no_number(condition: str) -> UserError:
    return UserError(
        f"--slice {condition}: a column of the counts is compared with a whole number",
        where=[f"slices with names of their parts  {', '.join(_BY_NAME)}"],
        fix=["--slice 'target<200'"],
        slug="bad_slice",
    )
