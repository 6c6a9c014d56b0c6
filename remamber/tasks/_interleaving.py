"""Variants timed against each other: interleaved rounds, rotated and reversed, paired by round.

A machine drifts: what runs later is slower or faster for reasons of its own. So every round runs
every variant once, in an order that rotates from round to round and is reversed in every second
one (ABBA), and only values of the same round are compared. No value is ever dropped.
"""

import gc
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Call = Callable[[], object]
Key = TypeVar("Key", bound=str | int)
Stopwatch = Callable[[Call, int], float]
"""Seconds that so many calls take, from the first one's start to the last one's end."""


class Plan(NamedTuple):
    """How a variant is timed: so many calls a block, in so many of the rounds."""

    calls: int
    blocks: int


def plan_blocks(
    seconds: float, *, rounds: int, budget_s: float, least_block_s: float, fewest: int = 2
) -> Plan:
    """Blocks long enough for the clock, as many as the budget holds, never fewer than a few.

    Args:
        seconds: what one call is expected to take.
        rounds: blocks at most.
        budget_s: for all blocks together.
        least_block_s: below this a block is filled with more calls.
        fewest: blocks even where the budget does not hold them.
    """
    calls = max(1, math.ceil(least_block_s / max(seconds, 1e-9)))
    blocks = int(budget_s / max(seconds * calls, 1e-9))
    return Plan(calls, max(min(fewest, rounds), min(rounds, blocks)))


def interleaved(
    variants: Mapping[Key, Call],
    plans: Mapping[Key, Plan],
    *,
    rounds: int,
    stopwatch: Stopwatch,
    on_round: Callable[[int], None] = lambda done: None,
) -> dict[Key, list[tuple[int, float]]]:
    """Time all variants in rounds.

    Args:
        variants: what to call, by name.
        plans: for every variant.
        rounds: of all variants; one with fewer blocks sits out some, evenly spread.
        stopwatch: takes the time of a block.
        on_round: told how many rounds are done; may raise to stop.

    Returns:
        (round, seconds a call) of every block.
    """
    samples: dict[Key, list[tuple[int, float]]] = {name: [] for name in variants}
    for number in range(rounds):
        on_round(number)
        for name in order(list(variants), number):
            plan = plans[name]
            if takes_part(plan.blocks, number, rounds):
                samples[name].append((number, _block(variants[name], plan.calls, stopwatch)))
    return samples


def order(names: Sequence[Key], number: int) -> list[Key]:
    """The names in the order of a round: every two rounds rotated by one, every other reversed."""
    turn = number // 2 % len(names) if names else 0
    rotated = [*names[turn:], *names[:turn]]
    return rotated[::-1] if number % 2 else rotated


def takes_part(blocks: int, number: int, rounds: int) -> bool:
    """Whether a variant with so many blocks has one in this round."""
    return number * blocks // rounds != (number + 1) * blocks // rounds


def _block(call: Call, calls: int, stopwatch: Stopwatch) -> float:
    collecting = gc.isenabled()
    gc.disable()
    try:
        return stopwatch(call, calls) / calls
    finally:
        if collecting:
            gc.enable()
