"""How long one call would take, from shorter sequences, before it is made."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

SHARES = (64, 16, 4)
"""Parts of the sequence that are tried, shortest first."""
_LEAST_STEPS = 16
_BENT = 1.25
"""How much dearer a step must have become in the longer trial to be taken for a square."""
TimeOf = Callable[[int], float]
"""Seconds of one call on a sequence of so many steps."""


class Estimate(NamedTuple):
    """Seconds that one call is expected to take, and whether that is more than was allowed."""

    seconds: float
    too_long: bool


def estimate(time_of: TimeOf, length: int, *, most_s: float) -> Estimate:
    """Try ever longer sequences, and stop as soon as the whole one is sure to take too long.

    Sure is what two lengths in a row say by proportion, since no scan grows less than linearly
    and one alone may have met an interruption. What is reported is the fit of ``predicted``.

    Args:
        time_of: times one call.
        length: steps of the whole sequence.
        most_s: the longest call that is wanted.
    """
    lengths = sorted({max(_LEAST_STEPS, length // share) for share in SHARES})
    lengths = [steps for steps in lengths if steps < length]
    tried: list[tuple[int, float]] = []
    for steps in lengths:
        tried.append((steps, time_of(steps)))
        if len(tried) >= 2 and all(s * length / n > most_s for n, s in tried[-2:]):
            return Estimate(predicted(tried, length), too_long=True)
    if not tried:
        return Estimate(time_of(length), too_long=False)
    seconds = predicted(tried, length)
    return Estimate(seconds, too_long=seconds > most_s)


def predicted(tried: Sequence[tuple[int, float]], length: int) -> float:
    """Seconds for a length by time = a l + c l^2 through the last two trials, c where it shows.

    A loop under autograd is quadratic: every step's slice gives the backward pass a gradient of
    the whole sequence to add up.
    """
    if len(tried) < 2:
        steps, seconds = tried[-1]
        return seconds * length / steps
    (l1, t1), (l2, t2) = tried[-2:]
    bent = t2 / l2 > _BENT * t1 / l1
    curve = (t2 / l2 - t1 / l1) / (l2 - l1) if bent else 0.0
    slope = t2 / l2 - curve * l2
    return max(slope * length + curve * length**2, t2)
