"""How many refs, images and expressions each split of the published data sets has."""

import csv
from collections.abc import Collection
from importlib.resources import files
from typing import NamedTuple

from remamber.datasets import ReferringDataset
from remamber.datasets._refer_layout import ReferFolder


class CountDifference(NamedTuple):
    """A number that is not what the published data set has."""

    split: str
    unit: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.split}: {self.found:,} {self.unit}, published {self.expected:,}"


def count_report(
    dataset: ReferringDataset, splits: Collection[str] | None = None
) -> list[CountDifference]:
    """Where the splits differ in size from the published ones; empty if nothing is known.

    A difference is worth a warning, not an error: a part of a data set is a fair thing to use.

    Args:
        dataset: what was opened.
        splits: those to look at; None looks at all that are known.
    """
    if not isinstance(dataset, ReferFolder):
        return []
    known = [
        r
        for r in _table()
        if (r["dataset"], r["split_by"]) == (dataset.name, dataset.split_by)
        and (splits is None or r["split"] in splits)
    ]
    return [difference for row in known for difference in _differences(dataset, row)]


def _differences(dataset: ReferFolder, row: dict[str, str]) -> list[CountDifference]:
    split = row["split"]
    refs = dataset.refs(split) if split in dataset.splits() else []
    found = {
        "refs": len(refs),
        "images": len({ref.image_id for ref in refs}),
        "expressions": sum(len(ref.expressions) for ref in refs),
    }
    return [
        CountDifference(split, unit, int(row[unit]), found[unit])
        for unit in found
        if row[unit] and int(row[unit]) != found[unit]
    ]


def _table() -> list[dict[str, str]]:
    text = files("remamber.datasets").joinpath("split_counts.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
