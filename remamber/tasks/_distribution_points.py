"""The points of a distribution: a bounded, repeatable sample of the features at every tap."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.errors import ExitCode, UserError
from remamber.models._taps import Features, Group
from remamber.plan.look import DistributionSpec

MOST_MEANS = 512
"""Expressions whose mean features are kept for the similarity of taps."""
Floats = NDArray[np.float64]


class Points(NamedTuple):
    """Points of one group at one tap.

    Attributes:
        values: n by d.
        images: of each point, the place of its image among all images.
    """

    values: NDArray[np.float32]
    images: NDArray[np.int64]


class Shares(NamedTuple):
    """One share for every expression, and its image."""

    values: Floats
    images: NDArray[np.int64]


class TapPoints(NamedTuple):
    """What was kept of one tap.

    Attributes:
        groups: points by group; a group without a point is not there.
        sources: whether groups are inner channels by the group that they read most of.
        lacking: groups of which no point can stand in one space with the image's, and why.
        means: expressions by channels, the mean over positions of those kept for it.
        read: by group, its share of what the inner channels read.
    """

    groups: Mapping[str, Points]
    sources: bool
    lacking: Mapping[str, str]
    means: NDArray[np.float32]
    read: Mapping[str, Shares]


class Sampled(NamedTuple):
    """An expression that is looked at: its place among them, its id, its image's place."""

    number: int
    sent_id: int
    image: int


def means_every(total: int) -> int:
    """Of every how many expressions the mean features are kept."""
    return max(1, -(-total // MOST_MEANS))


class Collector:
    """Takes the features of one expression after another and keeps a few points of each.

    With n expressions and p points, expression i gives ``(i+1)p//n - ip//n`` points of every
    group: as even as can be, whatever n. Which channels (or positions) they are is drawn from
    the seed and the expression's id alone, the same for all groups and taps of as many.
    So memory grows with p and not with n.

    Args:
        spec: what a point is, and how many.
        total: n.
        seed: of the draws.
    """

    def __init__(self, spec: DistributionSpec, *, total: int, seed: int) -> None:
        self._spec, self._total, self._seed = spec, total, seed
        self._kept: dict[str, dict[str, list[NDArray[np.float32]]]] = {}
        self._images: dict[str, dict[str, list[NDArray[np.int64]]]] = {}
        self._means: dict[str, list[NDArray[np.float32]]] = {}
        self._read: dict[str, dict[str, list[float]]] = {}
        self._seen: list[int] = []
        self._sources: set[str] = set()
        self._lacking: dict[str, dict[str, str]] = {}

    def add(self, batch: Sequence[Sampled], features: Mapping[str, Features]) -> None:
        """Keep what falls to these expressions, the rows of the batch.

        Raises:
            UserError: features that are not finite.
        """
        by_channel = self._spec.point == "channel"
        self._seen += [sampled.image for sampled in batch]
        for tap, seen in features.items():
            groups = seen.sources if seen.sources and by_channel else seen.groups
            if groups is seen.sources:
                self._sources.add(tap)
            kept = self._kept.setdefault(tap, {})
            images = self._images.setdefault(tap, {})
            for name, group in ((name, _arrays(group)) for name, group in groups.items()):
                if by_channel and group.positions is not None:
                    self._lacking.setdefault(tap, {})[name] = "tokens are nowhere in the image"
                    continue
                own, of_images = kept.setdefault(name, []), images.setdefault(name, [])
                for row, sampled in enumerate(batch):
                    points = self._drawn(group, row, sampled)
                    if not np.isfinite(points).all():
                        raise _not_finite(tap)
                    # Of a large split most expressions give none, and even those would add up.
                    if len(points) or not own:
                        own.append(points)
                        of_images.append(np.full(len(points), sampled.image))
            self._add_means(tap, batch, seen)

    def finished(self) -> dict[str, TapPoints]:
        """What was kept, by tap."""
        return {tap: self._of_tap(tap) for tap in self._kept}

    def _of_tap(self, tap: str) -> TapPoints:
        lacking = dict(self._lacking.get(tap, {}))
        groups: dict[str, Points] = {}
        for name, parts in self._kept[tap].items():
            values = np.concatenate(parts)
            if len(values):
                groups[name] = Points(values, np.concatenate(self._images[tap][name]))
            else:
                lacking[name] = "no point belongs to it"
        return TapPoints(
            groups=groups,
            sources=tap in self._sources,
            lacking=lacking,
            means=np.stack(self._means[tap]),
            read={
                name: Shares(np.array(shares), np.array(self._seen))
                for name, shares in self._read.get(tap, {}).items()
            },
        )

    def _drawn(self, group: "_Arrays", row: int, sampled: Sampled) -> NDArray[np.float32]:
        before, after = (
            i * self._spec.points // self._total for i in (sampled.number, sampled.number + 1)
        )
        values = group.values[row]
        channels = _allowed(group.channels, row, len(values))
        positions = _allowed(group.positions, row, values.shape[1])
        if self._spec.point == "position":
            values, channels, positions = values.T, positions, channels
        generator = np.random.default_rng([self._seed, sampled.sent_id, len(values)])
        order = generator.permutation(len(values))
        drawn: NDArray[np.float32] = values[order[channels[order]][: after - before]]
        return drawn

    def _add_means(self, tap: str, batch: Sequence[Sampled], seen: Features) -> None:
        arrays = [_arrays(group) for group in seen.groups.values()]
        means = self._means.setdefault(tap, [])
        for row, sampled in enumerate(batch):
            if sampled.number % means_every(self._total) == 0:
                means.append(np.concatenate([_mean(group, row) for group in arrays]))
        for name, shares in seen.read.items():
            self._read.setdefault(tap, {}).setdefault(name, []).extend(shares.double().tolist())


def _not_finite(tap: str) -> UserError:
    return UserError(
        f"the features at {tap} are not finite numbers: the weights have diverged",
        fix=["train again with a lower rate: --set train.lr=...", "or give other weights"],
        exit_code=ExitCode.DAMAGED,
        slug="features_not_finite",
    )


class _Arrays(NamedTuple):
    values: NDArray[np.float32]
    channels: NDArray[np.bool_] | None
    positions: NDArray[np.bool_] | None


def _arrays(group: Group) -> _Arrays:
    masks = [None if m is None else m.cpu().numpy() for m in (group.channels, group.positions)]
    return _Arrays(group.values.float().cpu().numpy(), *masks)


def _allowed(mask: NDArray[np.bool_] | None, row: int, length: int) -> NDArray[np.bool_]:
    return np.ones(length, dtype=np.bool_) if mask is None else mask[row]


def _mean(group: _Arrays, row: int) -> NDArray[np.float32]:
    values = group.values[row][:, _allowed(group.positions, row, group.values.shape[2])]
    if not values.shape[1]:
        return np.zeros(len(values), dtype=np.float32)
    mean: NDArray[np.float32] = values.mean(axis=1)
    return mean
