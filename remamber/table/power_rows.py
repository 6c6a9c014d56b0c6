"""Whose differences a power analysis is about: the rows of a study, or A and B."""

from collections.abc import Sequence
from typing import NamedTuple

from remamber.errors import ExitCode, UserError
from remamber.plan.protocols import find_protocol
from remamber.plan.question import Analysis
from remamber.plan.study import StudyRuns
from remamber.record.schema import Record
from remamber.registry import unknown
from remamber.table.compare import RowCounts
from remamber.table.counts import CountsFile, one_protocol
from remamber.table.power import CellPower, cell_powers
from remamber.table.scored_rows import counts_files, rows_on
from remamber.table.sides import Pair, Side
from remamber.table.source import ReadOnce, RecordSource, datasets_of, select

USUAL = ("mIoU", "oIoU")
"""Metrics that are looked at unless some are named, where the protocol has them."""


class GroupPower(NamedTuple):
    """Rows of one data set, and what each metric on each split can tell of them.

    Attributes:
        dataset: its name.
        protocol: by which the rows were scored.
        seeds: numbers of seeds that rows have.
        cells: by split and metric.
    """

    dataset: str
    protocol: str
    seeds: tuple[int, ...]
    cells: tuple[CellPower, ...]


def study_power(
    analysis: Analysis,
    runs: StudyRuns,
    source: RecordSource,
    *,
    splits: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> list[GroupPower]:
    """The power of a study's tables, by data set; every row against the best of its column.

    Args:
        analysis: says what makes a row.
        runs: which runs belong to the study.
        source: where records and counts are.
        splits: those to look at; all that were scored by default.
        metrics: names in ``METRICS``; ``USUAL`` by default.

    Raises:
        UserError: no two rows were scored (exit 3), a split that none scored, or damaged counts.
    """
    once = ReadOnce(source)
    found = []
    for name in datasets_of(runs, once):
        selection = select(analysis, runs, once, dataset=name)
        protocol = one_protocol([r for v in selection.variants for r in v.ok])
        files = counts_files(selection, source)
        scored = [s for s in _splits(selection.records, splits) if rows_on(selection, files, s)]
        cells = [
            cell
            for split in scored
            if len(rows := rows_on(selection, files, split)) > 1
            for cell in cell_powers(rows, split, _metrics(files, metrics))
        ]
        if cells and protocol is not None:
            seeds = tuple(sorted({len(v.ok) for v in selection.variants if v.ok}))
            found.append(GroupPower(name, protocol.name, seeds, tuple(cells)))
    if not found:
        raise _too_few(runs, splits)
    return found


def pair_power(
    sides: tuple[Side, Side],
    joined: Sequence[Pair],
    *,
    splits: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> list[GroupPower]:
    """The same for A and B.

    Raises:
        UserError: one of them scored nothing, they have nothing in common, or damaged counts.
    """
    found = []
    for pair in joined:
        files = {
            r.run_id: _counts(s, r)
            for s, of in zip(sides, pair[1:], strict=True)
            for r in of.values()
        }
        records = [*pair.a.values(), *pair.b.values()]
        protocol = one_protocol(records)
        cells: list[CellPower] = []
        for split in _splits(records, splits):
            if not all(file.has(split) for file in files.values()):
                continue
            rows = [_row(name, of, files, split) for name, of in zip("AB", pair[1:], strict=True)]
            cells += cell_powers(rows, split, _metrics(files, metrics))
        if not cells or protocol is None:
            raise UserError(
                "A and B have no split in common",
                where=[f"{s.name}  {', '.join(s.records[0].spec.data.splits)}" for s in sides],
                fix=["name runs that were scored on the same splits: remamber-bench list runs"],
                slug="no_common_split",
            )
        seeds = tuple(sorted({len(pair.a), len(pair.b)}))
        name = records[0].spec.data.name
        found.append(GroupPower(name, protocol.name, seeds, tuple(cells)))
    return found


def _row(name: str, of: dict[int, Record], files: dict[str, CountsFile], split: str) -> RowCounts:
    counts = tuple(files[of[seed].run_id].of(split) for seed in sorted(of))
    return RowCounts(label=name, seeds=tuple(sorted(of)), counts=counts)


def _counts(side: Side, record: Record) -> CountsFile:
    path = side.store.counts_path(record)
    if path is None:
        raise UserError(
            f"run {record.run_id} holds no counts of expressions",
            fix=["name runs that were trained or evaluated: remamber-bench list runs"],
            slug="no_counts",
        )
    return CountsFile(record, path)


def _splits(records: Sequence[Record], wanted: Sequence[str]) -> list[str]:
    known = list(dict.fromkeys(s for r in records for s in r.spec.data.splits))
    for split in wanted:
        if split not in known:
            raise unknown("split", split, known)
    return list(wanted) or known


def _metrics(files: dict[str, CountsFile], wanted: Sequence[str]) -> list[str]:
    known = find_protocol(next(iter(files.values())).protocols[0]).metrics
    return list(wanted) or [m for m in USUAL if m in known] or list(known[:2])


def _too_few(runs: StudyRuns, splits: Sequence[str]) -> UserError:
    where = f" on {', '.join(splits)}" if splits else ""
    return UserError(
        f"study '{runs.study}' has no two scored rows{where}, so there is no difference to look at",
        fix=[f"remamber-bench ablate {runs.study}"],
        exit_code=ExitCode.MISSING,
        slug="no_records",
    )
