"""Integer counts of every scored expression, read back and brought into one order."""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.errors import ExitCode, UserError
from remamber.metrics import Counts
from remamber.plan.protocols import DEFAULT, Protocol, find_protocol
from remamber.record.schema import Record, counts_place


class ExpressionCounts(NamedTuple):
    """Pixels by expression; all arrays have one integer an expression.

    Attributes:
        key: (image id, ref id, sentence id), shape (expressions, 3).
        intersection: pixels in both the prediction and the target.
        union: pixels in either.
        target: pixels of the target; 0 where an expression has none.
        protocol: name of the protocol by which they were counted.
    """

    key: Counts
    intersection: Counts
    union: Counts
    target: Counts
    protocol: str = DEFAULT

    @property
    def image(self) -> Counts:
        """Image id of every expression."""
        return self.key[:, 0]

    def only(self, part: NDArray[np.bool_]) -> "ExpressionCounts":
        """The counts of a part of the expressions."""
        key, intersection, union, target, protocol = self
        return ExpressionCounts(key[part], intersection[part], union[part], target[part], protocol)


class CountsFile:
    """The counts of one record, opened once.

    Args:
        record: whose counts they are; its checksum is compared if it has one.
        path: the npz beside the record.

    Raises:
        UserError: the file is missing, not readable or not the one that the record describes.
    """

    def __init__(self, record: Record, path: Path) -> None:
        self.path = path
        self.protocols = record.spec.evaluate.protocols
        self._run_id = record.run_id
        try:
            content = path.read_bytes()
            with np.load(io.BytesIO(content)) as arrays:
                self._arrays = {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise self._damaged(f"cannot be read: {error}") from error
        stated = record.counts_sha256
        if stated and hashlib.sha256(content).hexdigest() != stated:
            raise self._damaged("differ from the checksum in the record")

    def has(self, split: str, protocol: str | None = None) -> bool:
        """Whether the split was scored, by the record's first protocol or the one named."""
        return f"{self._place(split, protocol)}/intersection" in self._arrays

    def of(self, split: str, protocol: str | None = None) -> ExpressionCounts:
        """Counts of a split, ordered by (image, ref, sentence).

        Args:
            split: name of the split.
            protocol: one of the record's; its first by default.

        Raises:
            UserError: an array is missing.
        """
        place = self._place(split, protocol)
        names = ("image_id", "ref_id", "sent_id", "intersection", "union", "target")
        missing = [name for name in names if f"{place}/{name}" not in self._arrays]
        if missing:
            raise self._damaged(f"lack {place}/{missing[0]}")
        image, ref, sentence, intersection, union, target = (
            self._arrays[f"{place}/{name}"].astype(np.int64) for name in names
        )
        order = np.lexsort((sentence, ref, image))
        key = np.stack([image, ref, sentence], axis=1)
        return ExpressionCounts(
            key[order],
            intersection[order],
            union[order],
            target[order],
            protocol or self.protocols[0],
        )

    def ordered(self, split: str, protocol: str | None = None) -> dict[str, Counts]:
        """Every array of a split by its name, in the order of ``of``."""
        columns = self.columns(split, protocol)
        order = np.lexsort((columns["sent_id"], columns["ref_id"], columns["image_id"]))
        return {name: column[order] for name, column in columns.items()}

    def columns(self, split: str, protocol: str | None = None) -> dict[str, Counts]:
        """Every array of a split by its name, in the order in which it was scored."""
        place = self._place(split, protocol) + "/"
        return {k.removeprefix(place): v for k, v in self._arrays.items() if k.startswith(place)}

    def _place(self, split: str, protocol: str | None) -> str:
        return counts_place(split, protocol or self.protocols[0], first=self.protocols[0])

    def _damaged(self, how: str) -> UserError:
        return UserError(
            f"the counts of run {self._run_id} {how}",
            where=[f"file  {self.path}"],
            fix=[f"remove {self.path.parent} and run the study again; the other runs are reused"],
            exit_code=ExitCode.DAMAGED,
            slug="damaged_counts",
            path=str(self.path),
        )


def one_protocol(records: Sequence[Record]) -> Protocol | None:
    """The protocol that some records' rows are scored by, None for no records.

    Raises:
        UserError: they were not all scored by the same one.
    """
    names = {record.run_id: record.spec.evaluate.protocols[0] for record in records}
    if len(set(names.values())) > 1:
        raise mixed_protocols(names)
    return find_protocol(next(iter(names.values()))) if names else None


def mixed_protocols(rows: Mapping[str, str]) -> UserError:
    """The error for rows of a table that were scored by different protocols, by their labels."""
    examples = {protocol: row for row, protocol in rows.items()}
    return UserError(
        "the rows were scored by different protocols, so they do not belong in one table",
        where=[f"{row}  {protocol}" for protocol, row in examples.items()],
        fix=[f"score all rows by one, such as --set evaluate.protocols={DEFAULT}"],
        slug="mixed_protocols",
    )


def require_same_expressions(counts: Sequence[ExpressionCounts], names: Sequence[str]) -> None:
    """Refuse a paired comparison of runs that did not score the same expressions the same way.

    Raises:
        UserError: two runs scored different (image, ref, sentence) ids, or by different protocols.
    """
    for other, name in zip(counts[1:], names[1:], strict=True):
        if counts[0].protocol != other.protocol:
            raise mixed_protocols({names[0]: counts[0].protocol, name: other.protocol})
        if not np.array_equal(counts[0].key, other.key):
            raise UserError(
                "the rows did not score the same expressions, so they cannot be compared",
                where=[
                    f"{names[0]}  {len(counts[0].key)} expressions",
                    f"{name}  {len(other.key)} expressions",
                ],
                fix=["run the study again on one data set; --fresh trains every row anew"],
                exit_code=ExitCode.DAMAGED,
                slug="different_expressions",
            )
