"""Rows compared within slices of a split: the metrics of a slice, formed again from its counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from remamber.metrics import Counts, Floats
from remamber.plan.protocols import find_protocol
from remamber.record.schema import BY_WORDS, NEEDS_BY, Record
from remamber.table.compare import Comparison, RowCounts, compared, same_counts
from remamber.table.counts import CountsFile
from remamber.table.resample import DRAWS, generator_for, image_sums, resampled_images
from remamber.table.slice_rules import (
    BY_WORDS_RULE,
    BY_WORDS_TITLE,
    NEEDS,
    NOT_KNOWN,
    SLICINGS,
    Columns,
    Slicing,
    merged,
)

FEW_IMAGES = 30
"""A slice of fewer images is shown without intervals and marks: they would not mean much."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A part of a split's expressions, and the rows compared on it."""

    label: str
    comparison: Comparison

    @property
    def expressions(self) -> int:
        """How many it has."""
        return self.comparison.expressions

    @property
    def images(self) -> int:
        """On how many images they are."""
        return self.comparison.images

    @property
    def is_thin(self) -> bool:
        """Whether it has too few images for intervals and marks."""
        return self.images < FEW_IMAGES


@dataclass(frozen=True, kw_only=True)
class Sliced:
    """A split divided one way: its slices that are not empty, which have every expression once."""

    slicing: Slicing
    slices: tuple[Slice, ...]

    @property
    def divides(self) -> bool:
        """Whether there are two slices or more, so that there is something to compare."""
        return len(self.slices) > 1


def slice_rows(
    rows: Sequence[RowCounts],
    columns: Sequence[Columns],
    metrics: Sequence[str],
    *,
    generator: np.random.Generator,
    needs_by: str = "",
    draws: int = DRAWS,
) -> tuple[Sliced, ...]:
    """Compare rows within every slice of every slicing that their records know.

    The images of the whole split are resampled, and what of them is in a slice is summed again:
    with the whole split's generator the resamples are those of the main comparison.

    Args:
        rows: as for ``compare``.
        columns: of every run's counts, in the order of the counts' expressions.
        metrics: names in ``remamber.metrics.METRICS``.
        generator: source of the resamples.
        needs_by: what said what an expression needs, as the record has it.
        draws: number of resamples.

    Raises:
        UserError: the rows did not score the same expressions.
    """
    counts = same_counts(rows)
    facts = merged(columns)
    images, of_image = np.unique(counts[0].image, return_inverse=True)
    times = resampled_images(len(images), draws=draws, generator=generator)
    found = []
    for slicing in slicings(needs_by):
        places = slicing.places(facts)
        if places is not None:
            slices = _slices(slicing, places, rows, metrics, of_image=of_image, times=times)
            found.append(Sliced(slicing=slicing, slices=slices))
    return tuple(found)


def sliced_split(
    record: Record, counts: CountsFile, split: str, *, protocol: str
) -> tuple[Sliced, ...]:
    """The slices of one scored split of one record, in the metrics of a protocol.

    Raises:
        UserError: the counts are damaged.
    """
    own = counts.of(split, protocol)
    if not len(own.key):
        return ()
    row = RowCounts(label=record.run_id, seeds=(record.spec.seed,), counts=(own,))
    return slice_rows(
        [row],
        [counts.ordered(split, protocol)],
        find_protocol(protocol).metrics,
        generator=generator_for(split),
        needs_by=str(record.data.get(NEEDS_BY, "")),
    )


def slicings(needs_by: str) -> tuple[Slicing, ...]:
    """Every slicing, that by need under the name of what said it.

    Args:
        needs_by: what said what an expression needs, as the record has it.
    """
    if needs_by != BY_WORDS:
        return SLICINGS
    return tuple(
        replace(s, title=BY_WORDS_TITLE, rule=BY_WORDS_RULE, labels=("nothing", *s.labels[1:]))
        if s.name == NEEDS
        else s
        for s in SLICINGS
    )


def _slices(
    slicing: Slicing,
    places: Counts,
    rows: Sequence[RowCounts],
    metrics: Sequence[str],
    *,
    of_image: NDArray[np.intp],
    times: Floats,
) -> tuple[Slice, ...]:
    labels = (*enumerate(slicing.labels), (-1, NOT_KNOWN))
    parts = [(label, places == place) for place, label in labels]
    return tuple(
        Slice(
            label=label,
            comparison=_within(part, rows, metrics, of_image=of_image, times=times),
        )
        for label, part in parts
        if part.any()
    )


def _within(
    part: NDArray[np.bool_],
    rows: Sequence[RowCounts],
    metrics: Sequence[str],
    *,
    of_image: NDArray[np.intp],
    times: Floats,
) -> Comparison:
    counts = [c.only(part) for row in rows for c in row.counts]
    sums = image_sums(counts, metrics)
    found = compared(
        rows,
        metrics,
        sums=sums,
        times=times[:, np.unique(of_image[part])],
        expressions=int(np.count_nonzero(part)),
    )
    # A share of the expressions without a target means nothing in a slice where all have one.
    is_defined = sums.denominator[0].sum(axis=-1) > 0
    return replace(
        found,
        value=np.where(is_defined, found.value, np.nan),
        # Resamples of every cell of every slice would be most of a report's memory.
        draws=found.draws[..., :0],
    )
