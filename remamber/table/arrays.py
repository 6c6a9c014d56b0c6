"""What the figures of a record are drawn from: the arrays that its task left, read back."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remamber.errors import ExitCode, UserError
from remamber.record.schema import Record


def read_arrays(record: Record, path: Path | None) -> Mapping[str, NDArray[Any]]:
    """The arrays of a record by the names that its task gave them.

    Args:
        record: whose arrays they are.
        path: the npz beside it, as ``Store.arrays_path`` gives it.

    Raises:
        UserError: there is none, or it cannot be read (exit 6).
    """
    how = "are missing"
    if path is not None:
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            how = f"cannot be read: {error}"
    raise UserError(
        f"the arrays of run {record.run_id} {how}",
        where=[f"file  {path}"] if path is not None else [],
        fix=["run the same command again with --fresh"],
        exit_code=ExitCode.DAMAGED,
        slug="damaged_arrays",
        path=str(path) if path is not None else None,
    )
