"""Variants that were never trained: clustered expressions whose true metrics are known.

An image has one to three targets, a target two or three expressions. What makes an expression
hard is shared by all variants in parts (image, target, sentence), and every variant adds its own,
clustered in the same way. IoUs have two humps, a found target and a missed one; targets are of
every size, so that a few large ones carry the sums of pixels.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np

from remamber.table.resample import ImageSums

METRICS = ("mIoU", "Pr@50", "oIoU")
_SHARED = (0.6, 0.6, 0.5)
_FOUND_ABOVE = -0.55


@dataclass(frozen=True)
class Variant:
    """How far a variant goes its own way, and how much better it is (on the scale of hardness)."""

    own: tuple[float, float, float] = (0.25, 0.25, 0.35)
    better: float = 0.0


@dataclass(frozen=True)
class Split:
    """Which expression is on which image and of which target."""

    target_image: np.ndarray = field(repr=False)
    expression_target: np.ndarray = field(repr=False)

    @property
    def expression_image(self) -> np.ndarray:
        return self.target_image[self.expression_target]

    @property
    def images(self) -> int:
        return int(self.target_image[-1]) + 1

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.images, len(self.target_image), len(self.expression_target)


class Terms(NamedTuple):
    """Numerators and denominators by expression, each (variants, metrics, expressions)."""

    numerator: np.ndarray
    denominator: np.ndarray


def split_of(images: int, generator: np.random.Generator) -> Split:
    targets = generator.integers(1, 4, images)
    sentences = generator.integers(2, 4, targets.sum())
    return Split(
        np.repeat(np.arange(images), targets), np.repeat(np.arange(len(sentences)), sentences)
    )


def terms_of(split: Split, variants: list[Variant], generator: np.random.Generator) -> Terms:
    """One sample of all variants on the same expressions."""
    hard = _clustered(split, _SHARED, generator)
    ease = np.stack(
        [hard + v.better + _clustered(split, v.own, generator) for v in variants]
    )  # (variants, expressions)
    found = ease > _FOUND_ABOVE
    iou = np.where(found, _logistic(1.3 + 0.8 * ease), _logistic(-2.8 + 0.5 * ease))
    pixels = generator.lognormal(8.3, 1.1, split.sizes[1]).clip(80, 150_000)
    target = pixels[split.expression_target]
    elsewhere = generator.lognormal(8.3, 1.1, ease.shape).clip(80, 150_000)
    union = np.where(found, 1.1 * target, target + elsewhere)
    one = np.ones_like(iou)
    return Terms(
        np.stack([iou, (iou > 0.5).astype(np.float64), iou * union], axis=1),
        np.stack([one, one, union], axis=1),
    )


def by_image(split: Split, terms: Terms) -> list[ImageSums]:
    """Every variant's sums, one run each."""
    starts = np.searchsorted(split.expression_image, np.arange(split.images))
    sums = [np.add.reduceat(part, starts, axis=-1) for part in terms]
    return [ImageSums(n[None], d[None]) for n, d in zip(*sums, strict=True)]


def by_expression(terms: Terms) -> list[ImageSums]:
    """The same as if every expression had an image of its own."""
    return [ImageSums(n[None], d[None]) for n, d in zip(*terms, strict=True)]


@cache
def matching(other: Variant, metric: int, *, gain: float = 0.0, images: int = 30_000) -> float:
    """How much better ``other`` must be to exceed the usual variant by ``gain`` in a metric."""
    split = split_of(images, np.random.default_rng(1))
    low, high = -2.0, 2.0
    for _ in range(22):
        middle = (low + high) / 2
        pair = [Variant(), Variant(other.own, middle)]
        n, d = (p[:, metric].sum(axis=-1) for p in terms_of(split, pair, np.random.default_rng(2)))
        low, high = (middle, high) if n[1] / d[1] - n[0] / d[0] < gain else (low, middle)
    return (low + high) / 2


def _clustered(
    split: Split, scales: tuple[float, float, float], generator: np.random.Generator
) -> np.ndarray:
    parts = [scale * generator.normal(size=n) for scale, n in zip(scales, split.sizes, strict=True)]
    image, target, sentence = parts
    return image[split.expression_image] + target[split.expression_target] + sentence


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
