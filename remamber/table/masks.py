"""The predicted masks of a study's rows beside each other, expression by expression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.errors import ExitCode, UserError
from remamber.metrics import iou, measure
from remamber.plan.look import MasksSpec
from remamber.plan.protocols import find_protocol
from remamber.plan.study import StudyRuns
from remamber.record.schema import NEEDS_BY, WEIGHTS_RUN, Record
from remamber.table.arrays import read_arrays
from remamber.table.counts import CountsFile
from remamber.table.slice_rules import Slicing
from remamber.table.slices import slicings
from remamber.table.source import RecordSource

Mask = NDArray[np.bool_]
_Arrays = Mapping[str, NDArray[Any]]


class Predicted(NamedTuple):
    """What a row predicts for an expression, compared with the target by its protocol."""

    mask: Mask
    intersection: int
    union: int
    iou: float


@dataclass(frozen=True, kw_only=True)
class Example:
    """One expression with its image, its target and what every row predicts.

    Attributes:
        rule: by which it was chosen.
        slices: title of a slicing -> the slice that the expression is in.
        image: content of a PNG or JPEG file.
        target: bool ``h w``.
        predicted: by the row's key.
    """

    rule: str
    image_id: int
    ref_id: int
    sent_id: int
    text: str
    slices: dict[str, str]
    image: bytes = field(repr=False)
    target: Mask = field(repr=False)
    predicted: dict[str, Predicted]


class Agreement(NamedTuple):
    """Whether the masks are those whose pixels the trained runs counted.

    Attributes:
        compared: masks whose counts were at hand.
        differing: how many of them have other counts.
        pixels: the largest difference of a count, in pixels.
    """

    compared: int
    differing: int
    pixels: int


@dataclass(frozen=True, kw_only=True)
class MaskResults:
    """What the report of masks is made of.

    Attributes:
        runs: the runs of the invocation.
        records: by row key, those that ended well and show the same expressions.
        failed: by row key, how the others ended.
        recorded: the ids of all runs that have a record.
        examples: in the order in which they were chosen.
        slicings: title of a slicing -> its slices in order.
        means: row key -> mIoU of all expressions of the split, where its counts are at hand.
        agreement: with the trained runs' counts.
    """

    runs: StudyRuns
    records: dict[str, Record]
    failed: dict[str, str]
    recorded: frozenset[str]
    examples: tuple[Example, ...]
    slicings: dict[str, tuple[str, ...]]
    means: dict[str, float]
    agreement: Agreement

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """Runs that have no record yet."""
        return tuple(i for i in self.runs.run_ids if i not in self.recorded)

    @cached_property
    def spec(self) -> MasksSpec:
        """What was chosen; the same for all rows."""
        return masks_of(next(iter(self.records.values())))


def build_masks(runs: StudyRuns, source: RecordSource) -> MaskResults:
    """Read the masks of a study's runs and, where they are, the counts of the trained runs.

    Raises:
        UserError: no run left masks (exit 3), or a file is damaged (exit 6).
    """
    by_id = {record.run_id: record for record in source.records()}
    found = [by_id[run_id] for run_id in runs.run_ids if run_id in by_id]
    keys = _keys(runs, found)
    ok = [r for r in found if r.status == "ok" and r.arrays is not None]
    if not ok:
        raise UserError(
            f"no run of '{runs.study}' has left masks",
            where=[f"{len(runs.run_ids)} planned, {len(found)} recorded"],
            fix=["remamber-bench masks"],
            exit_code=ExitCode.MISSING,
            slug="no_masks",
        )
    shown = [r for r in ok if masks_of(r).items == masks_of(ok[0]).items]
    arrays = {keys[r.run_id]: read_arrays(r, source.arrays_path(r)) for r in shown}
    records = {keys[r.run_id]: r for r in shown}
    counts = _trained_counts(records, by_id, source)
    return MaskResults(
        runs=runs,
        records=records,
        failed={keys[r.run_id]: _ending(r) for r in found if r not in shown},
        recorded=frozenset(r.run_id for r in found),
        examples=_examples(records, arrays),
        slicings={s.title: s.labels for s in _slicings(ok[0])},
        means=_means(records, counts),
        agreement=_agreement(records, arrays, counts),
    )


def masks_of(record: Record) -> MasksSpec:
    """The masks that a record's run was asked for.

    Raises:
        UserError: it was asked for none.
    """
    if record.spec.masks is None:
        raise UserError(
            f"run {record.run_id} is no run of masks", fix=["remamber-bench masks"], slug="no_masks"
        )
    return record.spec.masks


def _keys(runs: StudyRuns, records: Sequence[Record]) -> dict[str, str]:
    """The name of every run: its row, and which weights they are where a row has several."""
    rows = {r.run_id: runs.rows.get(r.run_id, r.run_id) for r in records}
    names = list(rows.values())
    trained = {r.run_id: str(r.data.get(WEIGHTS_RUN, r.run_id)) for r in records}
    return {
        run_id: row if names.count(row) == 1 else f"{row} ({trained[run_id]})"
        for run_id, row in rows.items()
    }


def _ending(record: Record) -> str:
    return "shows other expressions" if record.status == "ok" else record.status


def _examples(records: Mapping[str, Record], arrays: Mapping[str, _Arrays]) -> tuple[Example, ...]:
    first = next(iter(arrays.values()))
    record = next(iter(records.values()))
    spec, slices = masks_of(record), _slices(record, first)
    return tuple(
        Example(
            rule=item.rule,
            image_id=int(first["image_id"][i]),
            ref_id=item.ref_id,
            sent_id=item.sent_id,
            text=str(first["text"][i]),
            slices={title: labels[i] for title, labels in slices.items() if labels[i]},
            image=first[f"image/{i}"].tobytes(),
            target=_unpacked(first, "target", i),
            predicted={key: _predicted(records[key], a, i) for key, a in arrays.items()},
        )
        for i, item in enumerate(spec.items)
    )


def _slices(record: Record, columns: _Arrays) -> dict[str, list[str]]:
    """Title of a slicing -> the slice of every example; empty where it is not known."""
    found = {}
    for slicing in _slicings(record):
        places = slicing.places(columns)
        if places is not None:
            found[slicing.title] = [slicing.labels[p] if p >= 0 else "" for p in places]
    return found


def _slicings(record: Record) -> tuple[Slicing, ...]:
    return slicings(str(record.data.get(NEEDS_BY, "")))


def _predicted(record: Record, arrays: _Arrays, place: int) -> Predicted:
    protocol = find_protocol(record.spec.evaluate.protocol)
    pair = arrays["intersection"][place : place + 1], arrays["union"][place : place + 1]
    value = iou(*pair, empty=protocol.empty_union, epsilon=protocol.epsilon)
    mask = _unpacked(arrays, "predicted", place)
    return Predicted(mask, int(pair[0][0]), int(pair[1][0]), float(value[0]))


def _unpacked(arrays: _Arrays, name: str, place: int) -> Mask:
    height, width = arrays[f"shape/{place}"].tolist()
    bits = np.unpackbits(arrays[f"{name}/{place}"], count=height * width)
    return bits.reshape(height, width).astype(np.bool_)


def _trained_counts(
    records: Mapping[str, Record], by_id: Mapping[str, Record], source: RecordSource
) -> dict[str, CountsFile]:
    """The counts of the runs that trained the rows' weights, of those that are at hand."""
    found = {}
    for key, record in records.items():
        trained = by_id.get(str(record.data.get(WEIGHTS_RUN, "")))
        path = source.counts_path(trained) if trained is not None else None
        if trained is not None and path is not None:
            counts = CountsFile(trained, path)
            if counts.has(masks_of(record).split, record.spec.evaluate.protocol):
                found[key] = counts
    return found


def _means(records: Mapping[str, Record], counts: Mapping[str, CountsFile]) -> dict[str, float]:
    found = {}
    for key, file in counts.items():
        protocol = records[key].spec.evaluate.protocol
        own = file.of(masks_of(records[key]).split, protocol)
        found[key] = measure(
            "mIoU", own.intersection, own.union, target=own.target, protocol=protocol
        )
    return found


def _agreement(
    records: Mapping[str, Record],
    arrays: Mapping[str, _Arrays],
    counts: Mapping[str, CountsFile],
) -> Agreement:
    differences: list[int] = []
    for key, file in counts.items():
        own = file.of(masks_of(records[key]).split, records[key].spec.evaluate.protocol)
        counted = {
            (int(ref), int(sentence)): (int(i), int(u))
            for (_, ref, sentence), i, u in zip(own.key, own.intersection, own.union, strict=True)
        }
        made = arrays[key]
        for ref, sentence, i, u in zip(
            made["ref_id"], made["sent_id"], made["intersection"], made["union"], strict=True
        ):
            pair = counted.get((int(ref), int(sentence)))
            if pair is not None:
                differences.append(max(abs(pair[0] - int(i)), abs(pair[1] - int(u))))
    return Agreement(len(differences), sum(d > 0 for d in differences), max(differences, default=0))
