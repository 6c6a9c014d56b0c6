"""The smallest difference between two times that counts on a machine: not below its noise."""

from collections.abc import Iterable

from remamber.record.noise import NoiseFloor
from remamber.rounds import DELTA


def smallest_difference(noise: NoiseFloor | None) -> float:
    """The share that ``verdict_of`` asks for: the usual one, or what equal things differ by.

    Args:
        noise: of the machine; None if it was not measured.
    """
    return max(DELTA, noise.floor) if noise is not None else DELTA


def loudest(floors: Iterable[NoiseFloor | None]) -> NoiseFloor | None:
    """The noise floor of several machines; None if that of any was not measured."""
    found = list(floors)
    known = [noise for noise in found if noise is not None]
    if not known or len(known) < len(found):
        return None
    return max(known, key=lambda noise: noise.floor)
