"""Counts of every scored expression as one long table in a file: npz, CSV or Parquet."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from remamber.errors import ExitCode, UserError
from remamber.record.files import write_whole
from remamber.record.schema import Record
from remamber.table.counts import CountsFile

SUFFIXES = (".npz", ".csv", ".parquet")


def require_format(path: Path) -> None:
    """Refuse, before anything is scored, a file that could not be written.

    Raises:
        UserError: another suffix, or Parquet without the package that writes it.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"per-expression counts cannot be written as '{path.suffix or path.name}'",
            fix=[f"--per-expression counts{suffix}" for suffix in SUFFIXES],
            slug="unknown_format",
            path=str(path),
        )
    if path.suffix == ".parquet":
        _require_pyarrow()


def expression_table(record: Record, counts: CountsFile) -> pd.DataFrame:
    """A row an expression, split and protocol: ids, pixels and what its slices are made of.

    Columns: protocol, split, image_id, ref_id, sent_id, intersection, union, predicted, target,
    image_pixels (of the size at which it was compared), truncated (1 if the tokenizer cut it),
    needs (1 noun, 2 attribute, 4 relation, 8 location), words, same_class (other objects of the
    target's class; -1 where the data set does not know) and centre_distance (thousandths of half
    the diagonal; -1 without a target). Records of before a column was kept lack it.
    """
    parts = [
        pd.DataFrame({"protocol": protocol, "split": split, **counts.columns(split, protocol)})
        for protocol in record.spec.evaluate.protocols
        for split in record.spec.data.splits
    ]
    return pd.concat(parts, ignore_index=True)


def write_expressions(record: Record, counts: CountsFile, path: Path) -> int:
    """Write the table in the format that the file's suffix names; gives its rows.

    Raises:
        UserError: another suffix, no package for Parquet, or the file cannot be written.
    """
    require_format(path)
    table = expression_table(record, counts)
    stream = io.BytesIO()
    if path.suffix == ".parquet":
        table.to_parquet(stream, engine="pyarrow", index=False)
    elif path.suffix == ".csv":
        table.to_csv(stream, index=False, lineterminator="\n")
    else:
        columns = {name: _plain(table[name]) for name in table.columns}
        np.savez_compressed(stream, **columns)  # type: ignore[arg-type]
    write_whole(path, stream.getvalue())
    return len(table)


def _plain(column: "pd.Series[int] | pd.Series[str]") -> np.ndarray:
    """Text of a fixed width rather than objects, which an npz would have to pickle."""
    is_number = pd.api.types.is_integer_dtype(column)
    return column.to_numpy(dtype=np.int64 if is_number else np.str_)


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UserError(
            "Parquet needs the package pyarrow, which is not installed",
            fix=["pip install 'remamber-bench[parquet]'", "--per-expression counts.npz"],
            exit_code=ExitCode.MISSING,
            slug="needs_parquet",
        ) from error
