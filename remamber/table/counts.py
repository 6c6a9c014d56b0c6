"""Integer counts of every scored expression, read back and brought into one order."""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remamber.errors import ExitCode, UserError
from remamber.metrics import Counts
from remamber.record.schema import Record


class ExpressionCounts(NamedTuple):
    """Pixels by expression; all arrays have one integer an expression.

    Attributes:
        key: (image id, ref id, sentence id), shape (expressions, 3).
        intersection: pixels in both the prediction and the target.
        union: pixels in either.
    """

    key: Counts
    intersection: Counts
    union: Counts

    @property
    def image(self) -> Counts:
        """Image id of every expression."""
        return self.key[:, 0]


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

    def has(self, split: str) -> bool:
        """Whether the split was scored."""
        return f"{split}/intersection" in self._arrays

    def of(self, split: str) -> ExpressionCounts:
        """Counts of a split, ordered by (image, ref, sentence).

        Raises:
            UserError: an array is missing.
        """
        names = ("image_id", "ref_id", "sent_id", "intersection", "union")
        missing = [name for name in names if f"{split}/{name}" not in self._arrays]
        if missing:
            raise self._damaged(f"lack {split}/{missing[0]}")
        image, ref, sentence, intersection, union = (
            self._arrays[f"{split}/{name}"].astype(np.int64) for name in names
        )
        order = np.lexsort((sentence, ref, image))
        key = np.stack([image, ref, sentence], axis=1)
        return ExpressionCounts(key[order], intersection[order], union[order])

    def _damaged(self, how: str) -> UserError:
        return UserError(
            f"the counts of run {self._run_id} {how}",
            where=[f"file  {self.path}"],
            fix=[f"remove {self.path.parent} and run the study again; the other runs are reused"],
            exit_code=ExitCode.DAMAGED,
            slug="damaged_counts",
            path=str(self.path),
        )


def require_same_expressions(counts: Sequence[ExpressionCounts], names: Sequence[str]) -> None:
    """Refuse a paired comparison of runs that did not score the same expressions.

    Raises:
        UserError: two runs scored different (image, ref, sentence) ids.
    """
    for other, name in zip(counts[1:], names[1:], strict=True):
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
