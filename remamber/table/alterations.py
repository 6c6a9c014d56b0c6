"""What was altered in an evaluation of trained weights, and how far the masks moved by it."""

from collections.abc import Sequence
from dataclasses import replace

from remamber.record.schema import Record
from remamber.table.model import Cell, Column, Row, Table
from remamber.table.results import Results
from remamber.table.source import Variant

_FACTS = (("altered", "expressions altered"), ("emptied", "no word left"))
_METRICS = (
    ("changed_masks", "masks that differ"),
    ("changed_pixels", "pixels that differ"),
    ("mask_agreement", "agreement"),
)


def alterations_table(results: Results) -> Table | None:
    """By row and split: shares altered, and how the masks differ from the undisturbed model's.

    Agreement is the mean IoU of the two masks.

    Returns:
        None where no run altered anything or counted changes.
    """
    splits = results.analysis.table.splits
    every = [
        Column(group=split, label=label, unit="fraction")
        for split in splits
        for _, label in (*_FACTS, *_METRICS)
    ]
    rows = [
        Row(
            key=variant.key,
            label=variant.label,
            cells=tuple(cell for split in splits for cell in _cells(variant, split)),
        )
        for variant in results.selection.variants
        if variant.ok
    ]
    shown = tuple(
        i for i in range(len(every)) if any(row.cells[i].value is not None for row in rows)
    )
    if not shown:
        return None
    table = Table(
        name="alterations",
        title="What was altered, and how far the masks moved",
        head="Row",
        columns=tuple(every),
        rows=tuple(rows),
    ).only(shown)
    lead = results.analysis.table.lead[0]
    return replace(table, lead=tuple(c.name for c in table.columns if c.group == lead))


def share_of(records: Sequence[Record], metric: str, split: str) -> float | None:
    """The mean over seeds of what a split's measurement says, None if it was not measured."""
    place = {"split": split}
    values = [
        m.value for r in records for m in r.measurements if (m.metric, m.where) == (metric, place)
    ]
    return sum(values) / len(values) if values else None


def _cells(variant: Variant, split: str) -> list[Cell]:
    facts = [_mean_fact(variant.ok, f"{split} {key}") for key, _ in _FACTS]
    return [*map(_cell, facts), *(_cell(share_of(variant.ok, m, split)) for m, _ in _METRICS)]


def _mean_fact(records: Sequence[Record], key: str) -> float | None:
    values = [float(value) for r in records if (value := r.data.get(key)) is not None]
    return sum(values) / len(values) if values else None


def _cell(value: float | None) -> Cell:
    if value is None:
        return Cell(status="not-measured", reason="not altered")
    return Cell(value=value)
