"""Random choices that stay the same over Python versions, machines and numbers of workers."""

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A random stream named by a text.

    Draws only ``random.random()``, the one method whose sequence Python promises to keep.

    Args:
        name: seeds the stream; equal names give equal draws.
    """

    def __init__(self, name: str) -> None:
        self._random = random.Random(name)

    def between(self, low: float, high: float) -> float:
        """A number of [low, high)."""
        return low + (high - low) * self._random.random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._random.random() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[int(self._random.random() * len(choices))]

    def weighted(self, weights: Mapping[str, float]) -> str:
        """One of the keys, as likely as its weight."""
        rest = self._random.random() * sum(weights.values())
        for key, weight in weights.items():
            rest -= weight
            if rest < 0:
                return key
        return list(weights)[-1]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        keyed = [(self._random.random(), place) for place in range(len(items))]
        return [items[place] for _, place in sorted(keyed)]
