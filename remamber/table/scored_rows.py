"""The counts of a table's rows: those of their runs that scored a split."""

from collections.abc import Mapping

from remamber.table.compare import RowCounts
from remamber.table.counts import CountsFile
from remamber.table.source import RecordSource, Selection, Variant


def counts_files(selection: Selection, source: RecordSource) -> dict[str, CountsFile]:
    """The counts of all runs that ended well and scored something, by run id.

    Raises:
        UserError: a file is missing or damaged.
    """
    return {
        record.run_id: CountsFile(record, path)
        for variant in selection.variants
        for record in variant.ok
        if (path := source.counts_path(record)) is not None
    }


def row_counts(variant: Variant, files: Mapping[str, CountsFile], split: str) -> RowCounts | None:
    """A row's counts on a split, one entry a seed; None if none of its runs scored it."""
    scored = [r for r in variant.ok if r.run_id in files and files[r.run_id].has(split)]
    if not scored:
        return None
    return RowCounts(
        label=variant.label,
        seeds=tuple(r.spec.seed for r in scored),
        counts=tuple(files[r.run_id].of(split) for r in scored),
    )


def rows_on(selection: Selection, files: Mapping[str, CountsFile], split: str) -> list[RowCounts]:
    """All rows that were scored on a split."""
    found = (row_counts(variant, files, split) for variant in selection.variants)
    return [row for row in found if row is not None]
