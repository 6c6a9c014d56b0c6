"""The records that one invocation of a study made, in the order of its table's rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from remamber.plan.grid import ROW
from remamber.plan.question import Analysis
from remamber.plan.study import StudyRuns
from remamber.record.noise import NoiseFloor
from remamber.record.schema import Record
from remamber.table.model import CellStatus


class RecordSource(Protocol):
    """Where records and their counts are read from; a store of run folders is one."""

    def records(self) -> list[Record]:
        """All finished runs."""
        ...

    def counts_path(self, record: Record) -> Path | None:
        """The npz with the record's integer counts, None if it has none."""
        ...

    def arrays_path(self, record: Record) -> Path | None:
        """The npz that the record's figures are drawn from, None if it has none."""
        ...

    def noise(self, machine: str) -> NoiseFloor | None:
        """How far equal things seem apart on a machine, None if that was not measured."""
        ...


class ReadOnce:
    """The same records for every question, read from their source the first time."""

    def __init__(self, source: RecordSource) -> None:
        self._source = source
        self._records: list[Record] | None = None

    def records(self) -> list[Record]:
        """All finished runs."""
        if self._records is None:
            self._records = self._source.records()
        return self._records

    def counts_path(self, record: Record) -> Path | None:
        """The npz with the record's integer counts, None if it has none."""
        return self._source.counts_path(record)

    def arrays_path(self, record: Record) -> Path | None:
        """The npz that the record's figures are drawn from, None if it has none."""
        return self._source.arrays_path(record)

    def noise(self, machine: str) -> NoiseFloor | None:
        """How far equal things seem apart on a machine, None if that was not measured."""
        return self._source.noise(machine)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a study: the runs of all its seeds, those that ended well and those that failed.

    Attributes:
        index: place of the row in the study, which fixes its colour in every figure.
    """

    index: int
    key: str
    label: str
    ok: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()

    @property
    def status(self) -> CellStatus:
        """``ok`` if any seed ended well; else how it ended, or ``not-run``."""
        if self.ok:
            return "ok"
        if not self.failed:
            return "not-run"
        return "oom" if all(r.status == "oom" for r in self.failed) else "failed"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that ended well, ascending, as the records are."""
        return tuple(r.spec.seed for r in self.ok)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a report is made of: variants in row order, the data's bounds, runs without record."""

    variants: tuple[Variant, ...]
    bounds: Record | None
    unrecorded: tuple[str, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """All training records, row by row, by seed."""
        return tuple(
            record
            for v in self.variants
            for record in sorted((*v.ok, *v.failed), key=lambda r: (r.spec.seed, r.run_id))
        )


def datasets_of(runs: StudyRuns, source: RecordSource) -> tuple[str, ...]:
    """Names of the data sets on which a study's rows ran or are to run, in their order."""
    read = {record.run_id: record.spec.data.name for record in source.records()}
    names = (runs.datasets.get(run_id) or read.get(run_id) for run_id in runs.run_ids)
    return tuple(dict.fromkeys(filter(None, names)))


def select(
    analysis: Analysis, runs: StudyRuns, source: RecordSource, *, dataset: str | None = None
) -> Selection:
    """Find the runs of a study among all records.

    A row that the analysis names but no record fills stays in, as not run.

    Args:
        analysis: says what makes a row.
        runs: which runs belong to the study.
        source: where the records are.
        dataset: leave out the runs on all other data sets.
    """
    by_id = {r.run_id: r for r in source.records()}
    found = [by_id[run_id] for run_id in dict.fromkeys(runs.run_ids) if run_id in by_id]
    of_row = [(row_key(record, analysis.table.rows, runs), record) for record in found]
    keys = _named_rows(analysis, runs)
    keys += [key for key in dict.fromkeys(key for key, _ in of_row) if key not in keys]

    def belongs(run_id: str) -> bool:
        read = by_id[run_id].spec.data.name if run_id in by_id else runs.datasets.get(run_id)
        return dataset is None or read in (dataset, None)

    variants = tuple(
        _variant(
            i,
            key,
            row_label(key, analysis.table.labels, runs.trained.values()),
            [r for k, r in of_row if k == key and belongs(r.run_id)],
        )
        for i, key in enumerate(keys)
    )
    bounds = (by_id[i] for i in runs.bounds_ids if i in by_id and belongs(i))
    return Selection(
        variants=variants,
        bounds=next(bounds, None),
        unrecorded=tuple(i for i in runs.run_ids if i not in by_id and belongs(i)),
    )


def row_key(record: Record, rows: str, runs: StudyRuns) -> str:
    """The row of a record: the study's name of it, or the value at a dotted key of its spec."""
    if rows == ROW:
        return runs.rows.get(record.run_id, record.run_id)
    value = spec_value(record, rows)
    # Several weights with one value would pass for seeds of a row.
    return f"{runs.trained[record.run_id]} {value}" if _several_weights(runs) else value


def _several_weights(runs: StudyRuns) -> bool:
    return len(set(runs.trained.values())) > 1


def row_label(key: str, labels: Mapping[str, str], trained: Iterable[str] = ()) -> str:
    """A row's name for people: its own, else that of the weights and that of what is done to them.

    Args:
        key: of the row.
        labels: names by key, or by a part of one.
        trained: keys of the weights that a study of trained weights looks at.
    """
    weights = next((t for t in trained if key == t or key.startswith(f"{t} ")), None)
    if key in labels or weights is None:
        return labels.get(key, key)
    rest = key.removeprefix(weights).strip()
    name = labels.get(weights, weights)
    return f"{name} ({labels.get(rest, rest)})" if rest else name


def _named_rows(analysis: Analysis, runs: StudyRuns) -> list[str]:
    """The rows that the analysis names; of a study of trained weights, those that were planned."""
    labels = analysis.table.labels
    if not runs.trained:
        return list(labels)
    if analysis.table.rows != ROW:
        return [] if _several_weights(runs) else list(labels)
    planned = dict.fromkeys(runs.rows.values())
    return [*(k for k in labels if k in planned), *(k for k in planned if k not in labels)]


def spec_value(record: Record, dotted: str) -> str:
    """The value at a dotted key of the record's spec, as text."""
    value: object = record.spec
    for name in dotted.split("."):
        value = getattr(value, name)
    return str(value)


def _variant(index: int, key: str, label: str, records: Sequence[Record]) -> Variant:
    by_seed = sorted(records, key=lambda r: r.spec.seed)
    return Variant(
        index=index,
        key=key,
        label=label,
        ok=tuple(r for r in by_seed if r.status == "ok"),
        failed=tuple(r for r in by_seed if r.status != "ok"),
    )
