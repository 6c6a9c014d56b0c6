"""How many refs, images and expressions each split of the published data sets has."""

import csv
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import NamedTuple

from remamber.datasets import ReferringDataset
from remamber.datasets._converted import ConvertedFolder
from remamber.datasets._refer_layout import ReferFolder


class CountDifference(NamedTuple):
    """A number that is not what the published data set has."""

    split: str
    unit: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.split}: {self.found:,} {self.unit}, published {self.expected:,}"


class Size(NamedTuple):
    """How large a split is."""

    refs: int
    images: int
    expressions: int


def count_report(
    dataset: ReferringDataset, splits: Collection[str] | None = None
) -> list[CountDifference]:
    """Where the splits differ in size from the published ones; empty if nothing is known.

    A difference is worth a warning, not an error: a part of a data set is a fair thing to use.

    Args:
        dataset: what was opened.
        splits: those to look at; None looks at all that are known.
    """
    if not isinstance(dataset, ReferFolder | ConvertedFolder):
        return []
    known = _known(dataset.name, dataset.split_by)
    wanted = [split for split in known if splits is None or split in splits]
    there = dataset.splits()
    return size_report(
        dataset.name,
        dataset.split_by,
        {s: _size(dataset, s) if s in there else Size(0, 0, 0) for s in wanted},
    )


def size_report(name: str, split_by: str, sizes: Mapping[str, Size]) -> list[CountDifference]:
    """Where these splits of a data set differ in size from the published ones."""
    known = _known(name, split_by)
    return [
        CountDifference(split, unit, int(known[split][unit]), found)
        for split, size in sizes.items()
        if split in known
        for unit, found in size._asdict().items()
        if known[split][unit] and int(known[split][unit]) != found
    ]


def is_published(name: str, split_by: str) -> bool:
    """Whether the published sizes of a data set's splits are known."""
    return bool(_known(name, split_by))


def _size(dataset: ReferringDataset, split: str) -> Size:
    refs = dataset.refs(split)
    expressions = sum(len(ref.expressions) for ref in refs)
    return Size(len(refs), len({ref.image_id for ref in refs}), expressions)


def _known(name: str, split_by: str) -> dict[str, dict[str, str]]:
    rows = _table()
    return {r["split"]: r for r in rows if (r["dataset"], r["split_by"]) == (name, split_by)}


def _table() -> list[dict[str, str]]:
    text = files("remamber.datasets").joinpath("split_counts.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
