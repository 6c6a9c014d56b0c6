"""Folders that ``data synth`` wrote, whose numbers must not stand under a real data set's name."""

from pathlib import Path

from remamber.datasets._synthetic.provenance import PROVENANCE, read_provenance
from remamber.errors import UserError

_DEPTH = 2
"""How far below such a folder its annotation files lie."""


def is_generated(root: Path) -> bool:
    """Whether a data root holds generated data."""
    return (root / PROVENANCE).is_file()


def refuse_generated(root: Path, *, name: str) -> None:
    """Refuse to open generated data as a real data set.

    Args:
        root: the data root.
        name: the data set that was asked for, such as ``refcoco``.

    Raises:
        UserError: the data root was written by ``data synth`` (exit 2).
    """
    if is_generated(root):
        style = read_provenance(root)["style"]
        raise UserError(
            f"{root} holds generated data, {style}, which must not be reported as '{name}'",
            where=[f"found  {root / PROVENANCE}"],
            fix=[f"--data {style}", "--data-root DIR: a folder of real data"],
            slug="generated_data",
            path=str(root),
        )


def refuse_generated_source(path: Path) -> None:
    """Refuse to convert generated data, which would lose the sign that they are.

    Args:
        path: the data set's file or folder, or the data root above it.

    Raises:
        UserError: it is, or lies in, what ``data synth`` wrote (exit 2).
    """
    whole = path.absolute()
    for root in (whole, *whole.parents[:_DEPTH]):
        if is_generated(root):
            style = read_provenance(root)["style"]
            raise UserError(
                f"{path} holds generated data, which are used as they are",
                where=[f"found  {root / PROVENANCE}"],
                fix=[f"remamber-bench data check {style} --data-root {root}"],
                slug="generated_data",
                path=str(path),
            )
