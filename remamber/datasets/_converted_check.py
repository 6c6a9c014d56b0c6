"""Whether the content of a converted data set is still what was written."""

from pathlib import Path

from remamber.datasets import OnProgress
from remamber.datasets._converted_index import read_index
from remamber.datasets._converted_write import COLUMNS
from remamber.plan.file_digest import file_digest


def changed_columns(
    folder: Path, on_progress: OnProgress = lambda what, done, total: None
) -> list[str]:
    """The columns whose content is not what the index says by sha256, sorted.

    Args:
        folder: ``ROOT/NAME/converted(SPLIT_BY)``.
        on_progress: told of every column.

    Raises:
        UserError: the index is missing or damaged (exit 6).
    """
    index = read_index(folder)
    changed = []
    for done, (name, file) in enumerate(sorted(index.columns.items())):
        path = folder / COLUMNS / f"{name}.npy"
        if not path.is_file() or file_digest(path) != file.sha256:
            changed.append(name)
        on_progress("hashing columns", done + 1, len(index.columns))
    return changed
