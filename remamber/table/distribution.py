"""What the records of a distribution study say: groups of features at every tap, and a control."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.plan.look import DistributionSpec
from remamber.plan.study import StudyRuns
from remamber.record.schema import Measurement, Record
from remamber.table.arrays import read_arrays
from remamber.table.source import RecordSource

_TAIL = 2.5
Floats = NDArray[np.float64]


class Told(NamedTuple):
    """A number with its 95 % interval, bootstrap over images; no ends where there is one image.

    Attributes:
        value: the number.
        low: lower end.
        high: upper end.
        draws: the number in every resample; the same resamples for all numbers of the same images.
    """

    value: float
    low: float | None = None
    high: float | None = None
    draws: Floats | None = None

    @classmethod
    def of(cls, value: float, draws: Floats | None) -> "Told":
        """With the percentiles of the resamples in which it is defined."""
        known = draws[np.isfinite(draws)] if draws is not None else None
        if known is None or not len(known):
            return cls(value)
        low, high = np.percentile(known, [_TAIL, 100 - _TAIL])
        return cls(value, float(low), float(high), draws)

    def minus(self, other: "Told") -> "Told":
        """The difference, paired by resample where both have as many."""
        draws = None
        if self.draws is not None and other.draws is not None:
            draws = self.draws - other.draws if len(self.draws) == len(other.draws) else None
        return Told.of(self.value - other.value, draws)

    @property
    def sign(self) -> int:
        """1 or -1 if the interval lies on one side of zero, 0 if it does not or there is none."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def mean_of(numbers: Sequence[Told]) -> Told | None:
    """The mean of numbers of the same images; None of none."""
    if not numbers:
        return None
    all_draws = [n.draws for n in numbers]
    known = [draws for draws in all_draws if draws is not None]
    draws = np.mean(known, axis=0) if len(known) == len(numbers) else None
    return Told.of(float(np.mean([n.value for n in numbers])), draws)


class TapName(NamedTuple):
    """A tap's name in its parts, such as stage 3, ``layer 1``, ``after channel scan``."""

    name: str
    stage: int
    layer: str
    place: str

    @classmethod
    def of(cls, name: str) -> "TapName":
        """Read ``stage 3 layer 1 after channel scan``; a fusion of one layer may name none."""
        words = name.split()
        layer = " ".join(words[2:4]) if words[2] == "layer" else ""
        return cls(name, int(words[1]), layer, " ".join(words[4 if layer else 2 :]))

    @property
    def block(self) -> str:
        """Stage and layer."""
        return f"stage {self.stage} {self.layer}".strip()


@dataclass(frozen=True, kw_only=True)
class Look:
    """One run: features of trained weights, or of the same model before its training."""

    record: Record
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)

    @cached_property
    def _by_tap(self) -> dict[str, list[Measurement]]:
        found: dict[str, list[Measurement]] = {}
        for measured in self.record.measurements:
            if "tap" in measured.where:
                found.setdefault(measured.where["tap"], []).append(measured)
        return found

    @cached_property
    def taps(self) -> tuple[TapName, ...]:
        """The taps that were read, in their order."""
        return tuple(map(TapName.of, self._by_tap))

    @property
    def places(self) -> tuple[str, ...]:
        """What the taps are called after stage and layer."""
        return tuple(dict.fromkeys(tap.place for tap in self.taps))

    def told(self, metric: str, tap: TapName, **where: str) -> Told | None:
        """A number of a tap; None if there is none."""
        for measured in self._by_tap.get(tap.name, ()):
            rest = {k: v for k, v in measured.where.items() if k != "tap"}
            if measured.metric == metric and where.items() <= rest.items():
                name = "/".join([tap.name, metric, *rest.values()])
                draws = self.arrays.get(name)
                return Told.of(measured.value, None if draws is None else draws.astype(float))
        return None

    def by_group(self, metric: str, tap: TapName) -> dict[str, Told]:
        """A number of every group at a tap."""
        groups = self.groups(tap)
        found = {name: self.told(metric, tap, group=name) for name in groups}
        return {name: number for name, number in found.items() if number is not None}

    def groups(self, tap: TapName) -> dict[str, int]:
        """Points by group."""
        return {
            m.where["group"]: int(m.value)
            for m in self._by_tap.get(tap.name, ())
            if m.metric == "points"
        }

    def by_source(self, tap: TapName) -> bool:
        """Whether groups are inner channels by what they read most of."""
        measured = self._by_tap.get(tap.name, ())
        return any(m.metric == "points" and m.where["as"] == "source" for m in measured)

    def scores(self, tap: TapName) -> dict[str, NDArray[np.float32]]:
        """Points on the first three axes, by group."""
        found = {name: self.arrays.get(f"{tap.name}/scores/{name}") for name in self.groups(tap)}
        return {name: scores for name, scores in found.items() if scores is not None}

    def axes(self, tap: TapName) -> tuple[float, ...]:
        """Shares of variance on the axes that are drawn."""
        measured = self._by_tap.get(tap.name, ())
        return tuple(m.value for m in measured if m.metric == "explained_variance")

    def text(self, metric: str, tap: TapName) -> Told | None:
        """A number of what the text brings: of its own group, or of text at each position."""
        of_text = (self.told(metric, tap, group=name) for name in ("text", "local"))
        return next((number for number in of_text if number is not None), None)

    def apart(self, metric: str, tap: TapName) -> Told | None:
        """A number of the image's group against the text's."""
        pairs = (self.told(metric, tap, groups=f"image-{name}") for name in ("text", "local"))
        return next((number for number in pairs if number is not None), None)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One trained model: what it shows, and what it showed before its training."""

    key: str
    label: str
    trained: Look | None
    control: Look | None

    @property
    def looks(self) -> tuple[tuple[str, Look], ...]:
        """Those that there are, by what they are called."""
        both = (("trained", self.trained), ("untrained", self.control))
        return tuple((name, look) for name, look in both if look is not None)


@dataclass(frozen=True, kw_only=True)
class DistributionResults:
    """All runs of one invocation, by trained model, in its order."""

    runs: StudyRuns
    variants: tuple[Variant, ...]
    failed: Mapping[str, str]
    records: tuple[Record, ...]
    unrecorded: tuple[str, ...] = ()

    @property
    def looks(self) -> tuple[Look, ...]:
        """Everything that was looked at."""
        return tuple(look for variant in self.variants for _, look in variant.looks)

    @property
    def wish(self) -> DistributionSpec:
        """What was asked, as far as all runs share it."""
        specs = (record.spec.distribution for record in self.records)
        return next((spec for spec in specs if spec is not None), DistributionSpec())


def build_distribution(
    labels: Mapping[str, str], runs: StudyRuns, source: RecordSource
) -> DistributionResults:
    """Collect a study's records and their points.

    Args:
        labels: names for people of the study's rows.
        runs: which runs belong to the study.
        source: where records and arrays are.

    Raises:
        UserError: the arrays of a record are damaged.
    """
    by_id = {r.run_id: r for r in source.records()}
    found = [by_id[run_id] for run_id in dict.fromkeys(runs.run_ids) if run_id in by_id]
    pairs: dict[str, list[Record]] = {}
    for record in found:
        if record.spec.distribution is not None:
            pairs.setdefault(_trained_key(record), []).append(record)
    variants = []
    for key, records in pairs.items():
        row = _row(records[0], runs)
        looks = {_is_trained(r): _look(r, source) for r in records if r.status == "ok"}
        variants.append(
            Variant(
                key=key,
                label=labels.get(row, row),
                trained=looks.get(True),
                control=looks.get(False),
            )
        )
    return DistributionResults(
        runs=runs,
        variants=tuple(variants),
        failed={r.run_id: r.status for r in found if r.status != "ok"},
        records=tuple(found),
        unrecorded=tuple(i for i in runs.run_ids if i not in by_id),
    )


def change(look: Look, number: Callable[[TapName], Told | None], tap: TapName) -> Told | None:
    """How a number differs from that at the first tap of the same layer; None if one lacks it."""
    first = next(other for other in look.taps if other.block == tap.block)
    before, after = number(first), number(tap)
    if before is None or after is None or first == tap:
        return None
    return after.minus(before)


def _look(record: Record, source: RecordSource) -> Look:
    return Look(record=record, arrays=read_arrays(record, source.arrays_path(record)))


def _is_trained(record: Record) -> bool:
    return record.spec.distribution is None or record.spec.distribution.trained


def _trained_key(record: Record) -> str:
    """The same for a run and its control: everything but whether the weights are trained."""
    wish = record.spec.distribution
    as_trained = wish.model_copy(update={"trained": True}) if wish is not None else None
    return record.spec.model_copy(update={"distribution": as_trained}).run_id


def _row(record: Record, runs: StudyRuns) -> str:
    """The name of the row whose weights it looks at."""
    return runs.trained.get(record.run_id) or runs.rows.get(record.run_id, record.run_id)
