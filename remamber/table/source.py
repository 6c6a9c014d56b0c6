"""The records that one invocation of a study made, in the order of its table's rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from remamber.plan.study import Analysis, StudyRuns
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


def select(analysis: Analysis, runs: StudyRuns, source: RecordSource) -> Selection:
    """Find the runs of a study among all records.

    A row that the analysis names but no record fills stays in, as not run.
    """
    by_id = {r.run_id: r for r in source.records()}
    found = [by_id[run_id] for run_id in dict.fromkeys(runs.run_ids) if run_id in by_id]
    keys = list(analysis.table.labels)
    of_row = [(spec_value(record, analysis.table.rows), record) for record in found]
    keys += [key for key in dict.fromkeys(key for key, _ in of_row) if key not in keys]
    variants = tuple(
        _variant(i, key, analysis, [record for k, record in of_row if k == key])
        for i, key in enumerate(keys)
    )
    return Selection(
        variants=variants,
        bounds=by_id.get(runs.bounds_id) if runs.bounds_id else None,
        unrecorded=tuple(run_id for run_id in runs.run_ids if run_id not in by_id),
    )


def spec_value(record: Record, dotted: str) -> str:
    """The value at a dotted key of the record's spec, as text."""
    value: object = record.spec
    for name in dotted.split("."):
        value = getattr(value, name)
    return str(value)


def _variant(index: int, key: str, analysis: Analysis, records: Sequence[Record]) -> Variant:
    by_seed = sorted(records, key=lambda r: r.spec.seed)
    return Variant(
        index=index,
        key=key,
        label=analysis.table.labels.get(key, key),
        ok=tuple(r for r in by_seed if r.status == "ok"),
        failed=tuple(r for r in by_seed if r.status != "ok"),
    )
