"""What the records of receptive fields say: radii and directions, with intervals over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.metrics import Floats
from remamber.plan.question import ReceptiveAnalysis
from remamber.plan.study import StudyRuns
from remamber.record.schema import Record
from remamber.table.arrays import read_arrays
from remamber.table.resample import generator_for, percentile_interval, resampled_images
from remamber.table.source import RecordSource

DRAWS = 1000
HALF, MOST = 0.5, 0.9
"""Shares of the energy by whose circles a field is described."""
EVEN_HALF, EVEN_MOST = 0.3989, 0.5575
"""Radii of those circles in sides of a square over which the energy lies evenly."""
REGIONS = ("outside", "far", "above", "left", "across", "band", "band_even", "down", "right")
"""As the task names the columns of its regions."""
LOGITS = "logits"
SCARCE = 1e-6
"""Energy below this share is rounding: nothing is said of its directions."""


class Found(NamedTuple):
    """A number with the ends of its 95 % interval over images."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class FieldRow:
    """One row's fields, trained or initial.

    Attributes:
        index: of the row, which fixes its colour; its initial weights share it.
        key: by which the study knows it.
        label: its name.
        trained: whether the weights are.
        records: of its seeds.
        rings: by map, energy by distance, (images, rings); mean over seeds.
        regions: by map, energy by region, (images, regions).
        maps: by map, mean energy in cells.
        side: of the images, pixels.
    """

    index: int
    key: str
    label: str
    trained: bool
    records: tuple[Record, ...]
    rings: Mapping[str, Floats] = field(repr=False)
    regions: Mapping[str, Floats] = field(repr=False)
    maps: Mapping[str, NDArray[np.float32]] = field(repr=False)
    side: int = 0

    @property
    def images(self) -> int:
        """Images that were read."""
        return len(next(iter(self.rings.values())))

    @cached_property
    def _times(self) -> Floats:
        """The same resamples for every row of as many images: so differences are paired."""
        generator = generator_for("receptive field")
        drawn = resampled_images(self.images, draws=DRAWS, generator=generator)
        return np.concatenate([np.ones((1, self.images)), drawn])

    def radii(self, name: str, share: float) -> Floats:
        """Radius of the circle that holds a share of the energy, in sides of the image.

        Returns:
            On all images, then on each resample of them: (1 + draws,).
        """
        return _radii(self._times @ self.rings[name], share) / self.side

    def radius(self, name: str, share: float) -> Found:
        """The same with its interval."""
        return _found(self.radii(name, share))

    def part(self, name: str, region: str, *, of: str | None = None) -> Found | None:
        """Energy in a region, or as a part of that in another; None where that holds none."""
        sums = self._times @ self.regions[name]
        values = sums[:, REGIONS.index(region)] / self.images
        if of is None:
            return _found(values)
        whole = sums[:, REGIONS.index(of)] / self.images
        if np.any(whole <= SCARCE):
            return None
        return _found(values / whole)


@dataclass(frozen=True, kw_only=True)
class ReceptiveResults:
    """What a report of receptive fields is written from; nothing in here is formatted."""

    analysis: ReceptiveAnalysis
    runs: StudyRuns
    rows: tuple[FieldRow, ...]
    failed: tuple[Record, ...]
    unrecorded: tuple[str, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """Those that ended."""
        return (*(record for row in self.rows for record in row.records), *self.failed)

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps, the stages' first."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.rings))

    @property
    def pairs(self) -> tuple[tuple[FieldRow, FieldRow], ...]:
        """Trained rows, each with its initial weights on the same images."""
        initial = {row.key: row for row in self.rows if not row.trained}
        return tuple(
            (row, initial[row.key])
            for row in self.rows
            if row.trained and row.key in initial and row.images == initial[row.key].images
        )


def build_receptive(
    analysis: ReceptiveAnalysis, runs: StudyRuns, source: RecordSource
) -> ReceptiveResults:
    """Read the fields of a study's runs.

    Raises:
        UserError: the arrays of a record are missing or damaged (exit 6).
    """
    by_id = {record.run_id: record for record in source.records()}
    found = [by_id[run_id] for run_id in dict.fromkeys(runs.run_ids) if run_id in by_id]
    groups: dict[tuple[str, bool], list[Record]] = {}
    for record in found:
        wish = record.spec.receptive
        if record.status == "ok" and wish is not None:
            key = runs.trained.get(record.run_id, record.run_id)
            groups.setdefault((key, wish.trained), []).append(record)
    keys = list(dict.fromkeys([*analysis.receptive.labels, *(key for key, _ in groups)]))
    order = sorted(groups, key=lambda group: (keys.index(group[0]), not group[1]))
    return ReceptiveResults(
        analysis=analysis,
        runs=runs,
        rows=tuple(
            _row(analysis, key, trained, groups[key, trained], keys.index(key), source)
            for key, trained in order
        ),
        failed=tuple(record for record in found if record.status != "ok"),
        unrecorded=tuple(run_id for run_id in runs.run_ids if run_id not in by_id),
    )


def _row(
    analysis: ReceptiveAnalysis,
    key: str,
    trained: bool,  # noqa: FBT001 - half of a row's key
    records: Sequence[Record],
    index: int,
    source: RecordSource,
) -> FieldRow:
    arrays = [read_arrays(record, source.arrays_path(record)) for record in records]
    label = analysis.receptive.labels.get(key, key)

    def mean(prefix: str) -> dict[str, Floats]:
        names = [n for n in arrays[0] if n.startswith(f"{prefix}/")]
        return {
            n.partition("/")[2]: np.mean([a[n].astype(np.float64) for a in arrays], axis=0)
            for n in names
        }

    return FieldRow(
        index=index,
        key=key,
        label=label if trained else f"{label}, initial weights",
        trained=trained,
        records=tuple(records),
        rings=mean("rings"),
        regions=mean("regions"),
        maps={name: grid.astype(np.float32) for name, grid in mean("map").items()},
        side=records[0].spec.data.image_size,
    )


def _radii(profiles: Floats, share: float) -> Floats:
    """Where the cumulated energy of each profile reaches a share of its total, in rings."""
    cumulated = np.cumsum(profiles, axis=1)
    wanted = share * cumulated[:, -1:]
    ring = np.argmax(cumulated >= wanted, axis=1)
    rows = np.arange(len(profiles))
    before = np.where(ring > 0, cumulated[rows, ring - 1], 0.0)
    inside = profiles[rows, ring]
    rest = np.divide(wanted[:, 0] - before, inside, out=np.zeros(len(ring)), where=inside > 0)
    found: Floats = ring + rest
    return found


def difference(row: FieldRow, other: FieldRow, name: str, share: float) -> Found:
    """Radius of a row minus that of another on the same images."""
    return _found(row.radii(name, share) - other.radii(name, share))


def _found(values: Floats) -> Found:
    interval = percentile_interval(values[1:])
    return Found(float(values[0]), float(interval.low), float(interval.high))
