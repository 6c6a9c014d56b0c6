"""Shelf of the shapes in which projects and mirrors ship the annotations of a data set.

An entry is a class with two static methods, ``recognises`` and ``read`` (see ``Shape``), and a
docstring whose first line says what the shape is and who ships it; its file is one shape, and a
file with a leading underscore is shared. What a shape reads is the same ``Source`` for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from remamber.datasets import OnProgress
from remamber.datasets._annotations import Source
from remamber.errors import ExitCode, UserError
from remamber.registry import Shelf

SHAPES = Shelf("remamber.datasets._sources", noun="shape")


@dataclass(frozen=True)
class SourcePlace:
    """What the user gave of a data set in some shape.

    Attributes:
        path: the file or folder to read.
        images: the folder of its images, where it is not found beside the annotations.
        instances: COCO's ``instances.json``, from which a shape that ships boxes only, or no
            masks, takes them by annotation id.
        name: the data set, such as ``refcoco+``, where the files do not say.
        split_by: who made the splits, where the files do not say.
        on_progress: told of anything that takes longer than a moment.
    """

    path: Path
    images: Path | None = None
    instances: Path | None = None
    name: str | None = None
    split_by: str | None = None
    on_progress: OnProgress = field(default=lambda what, done, total: None)


class Shape(Protocol):
    """How one shape is told from the others, and read."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether the file or folder looks like this shape.

        By names and, where names do not tell, by the first few kilobytes. Never raises for what
        is not there, not readable or another shape; needs no optional package.
        """

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check everything but pixels; what is left out stands in ``Source.notes``.

        Raises:
            UserError: the name or the splits cannot be told and were not given (exit 2), a part
                or an optional package is missing (exit 3), a file is damaged (exit 6).
        """


def read_source(place: SourcePlace, *, shape: str | None = None) -> Source:
    """Read a data set in the named shape, or in the one that its files look like.

    Raises:
        UserError: no shape or several fit (exit 2), nothing is there (exit 3), and what the
            shape's ``read`` raises.
    """
    found: Shape = SHAPES.get(shape if shape is not None else recognised(place.path))
    return found.read(place)


def recognised(path: Path) -> str:
    """The name of the one shape that the file or folder looks like.

    Raises:
        UserError: there is nothing (exit 3), or no shape or several fit (exit 2).
    """
    if not path.exists():
        raise UserError(
            f"nothing to read at {path}",
            fix=["remamber-bench data list --explain refcoco    (what to fetch, and from where)"],
            exit_code=ExitCode.MISSING,
            slug="source_missing",
            path=str(path),
        )
    fitting = [name for name in SHAPES.names() if SHAPES.get(name).recognises(path)]
    if len(fitting) == 1:
        return fitting[0]
    what = f"{path} looks like {' and '.join(fitting)}" if fitting else f"no known shape: {path}"
    raise UserError(
        what,
        where=[f"{name}  {about}" for name, about in shapes().items()],
        fix=[f"name it: remamber-bench data convert {path} --shape {(fitting or ['NAME'])[0]}"],
        slug="unknown_shape",
        path=str(path),
    )


def shapes() -> Mapping[str, str]:
    """Every shape with what it is in one line; imports none of them."""
    return {entry.name: entry.summary.replace("``", "") for entry in SHAPES.entries.values()}
