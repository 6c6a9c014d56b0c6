"""A gate: one number of a data set, and the limit that it must keep."""

from typing import Literal, NamedTuple

State = Literal["pass", "fail", "shown", "n/a"]

_ERRORS = 2.0
"""A limit holds if it is exceeded by less than so many standard errors: that may be chance."""


class Gate(NamedTuple):
    """One measured number.

    Attributes:
        name: what was measured, such as ``predict-all``.
        metric: ``mIoU``, ``Pr@50``, ``share`` (fractions), ``p``, ``ratio`` or ``count``.
        value: the number; None where it cannot be measured.
        limit: the limit in words, such as ``<= 0.25``; empty where there is none.
        state: pass or fail; shown where no limit applies; n/a where nothing was measured.
        meaning: what the guess may see, or what the number says.
        fix: what to change where it fails.
        error: standard error of the number over images; 0 where it is no sample.
    """

    name: str
    metric: str
    value: float | None
    limit: str
    state: State
    meaning: str
    fix: str = ""
    error: float = 0.0


def at_most(
    name: str,
    metric: str,
    value: float,
    limit: float | None,
    *,
    says: str,
    fix: str = "",
    error: float = 0.0,
) -> Gate:
    """A gate with an upper limit; without one the number is only shown."""
    if limit is None:
        return Gate(name, metric, value, "", "shown", says, error=error)
    state: State = "pass" if value - _ERRORS * error <= limit else "fail"
    return Gate(name, metric, value, f"<= {limit:.3g}", state, says, fix, error)


def at_least(
    name: str,
    metric: str,
    value: float,
    limit: float | None,
    *,
    says: str,
    fix: str = "",
    error: float = 0.0,
) -> Gate:
    """A gate with a lower limit; without one the number is only shown."""
    if limit is None:
        return Gate(name, metric, value, "", "shown", says, error=error)
    state: State = "pass" if value + _ERRORS * error >= limit else "fail"
    return Gate(name, metric, value, f">= {limit:.3g}", state, says, fix, error)


def not_measured(name: str, why: str) -> Gate:
    """A gate that this data set has no answer to."""
    return Gate(name, "", None, "", "n/a", why)
