"""The counts of an evaluation that is not over, so that a stopped one goes on where it was."""

import io
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remamber.record.files import set_aside, write_whole
from remamber.tasks._scoring import ProtocolCounts, joined

_log = logging.getLogger(__name__)
_NAME = "unfinished.npz"


class Scored(NamedTuple):
    """How many items of a split are done, and their counts."""

    items: int
    counts: ProtocolCounts


class Unfinished:
    """The counts so far of one run folder, in one file that is written whole.

    Args:
        folder: the run's folder.
        digest: of the run's spec; the counts of another run are not taken.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.path, self._digest = folder / _NAME, digest

    def save(self, splits: Mapping[str, Scored]) -> None:
        """Write what is done.

        Raises:
            UserError: the disk is full or the folder cannot be written; the file before it stays.
        """
        arrays = {f"items/{split}": np.array(scored.items) for split, scored in splits.items()}
        for split, scored in splits.items():
            for protocol, counts in scored.counts.items():
                arrays |= {f"counts/{split}/{protocol}/{k}": v for k, v in counts.items()}
        stream = io.BytesIO()
        np.savez(stream, digest=np.array(self._digest), **arrays)  # type: ignore[arg-type]
        write_whole(self.path, stream.getvalue())

    def restore(self) -> tuple[dict[str, Scored], list[str]]:
        """What is done, and a warning for a file that was damaged and is set aside."""
        if not self.path.exists():
            return {}, []
        try:
            return self._read(), []
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            reason = str(error).split("\n", 1)[0]
        aside = set_aside(self.path)
        warning = f"{self.path} was not used and is set aside as {aside.name}: {reason}"
        _log.warning(warning)
        return {}, [warning]

    def _read(self) -> dict[str, Scored]:
        with np.load(io.BytesIO(self.path.read_bytes())) as arrays:
            if str(arrays["digest"]) != self._digest:
                raise ValueError("it belongs to another run")
            found = {
                name.removeprefix("items/"): Scored(int(arrays[name]), {})
                for name in arrays.files
                if name.startswith("items/")
            }
            for name in arrays.files:
                if name.startswith("counts/"):
                    _, split, protocol, field = name.split("/")
                    found[split].counts.setdefault(protocol, {})[field] = arrays[name]
        # Of before a column was there: it is put in as not recorded.
        return {split: Scored(own.items, joined([own.counts])) for split, own in found.items()}
