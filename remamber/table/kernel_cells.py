"""Rows and cells of a kernel report: a number, or in words why there is none."""

from collections.abc import Iterable

from remamber.plan.scan_shapes import SHAPES
from remamber.rounds import RoundRatio
from remamber.table.kernels import ShapeResults
from remamber.table.model import Cell, Row

HEAD = "Shape (b, d, l, n, g)"


def row(shape: ShapeResults, cells: Iterable[Cell]) -> Row:
    """A row that is headed by the shape's name and sizes."""
    known = SHAPES.get(shape.case)
    label = f"{shape.case} {known.words()}" if known else shape.case
    return Row(key=shape.case, label=label, cells=tuple(cells))


def is_image(shape: ShapeResults) -> bool:
    """Whether there is anything to fuse."""
    known = SHAPES.get(shape.case)
    return known is None or known.image


def cell(shape: ShapeResults, value: float | None, *, why: str) -> Cell:
    """A number of a shape.

    Args:
        shape: it may have failed, or not have run at all.
        value: None if it is not known.
        why: a few words for that case.
    """
    return Cell(value=value) if value is not None else nothing(shape, why)


def ratio_cell(shape: ShapeResults, ratio: RoundRatio | None) -> Cell:
    """How many times faster, with its interval."""
    if ratio is None:
        return nothing(shape, "one of them was not run")
    return Cell(value=ratio.value, low=ratio.low, high=ratio.high, n=ratio.rounds)


def time_cell(shape: ShapeResults, op: str, name: str, which: str) -> Cell:
    """Median time of an implementation in a pass."""
    return _measured(shape, op, name, which, of_time=True)


def memory_cell(shape: ShapeResults, op: str, name: str, which: str) -> Cell:
    """Peak extra memory of an implementation in a pass."""
    return _measured(shape, op, name, which, of_time=False)


def nothing(shape: ShapeResults, why: str) -> Cell:
    """The cell of a number that there is not."""
    if shape.record is None:
        return Cell(status="not-run")
    if not shape.ok:
        return Cell(status="oom" if shape.record.status == "oom" else "failed")
    return Cell(status="not-measured", reason=why)


def _measured(shape: ShapeResults, op: str, name: str, which: str, *, of_time: bool) -> Cell:
    entry = shape.entry(op, name, which)
    value = entry.seconds if of_time else entry.peak_bytes
    if value is not None:
        return Cell(value=value)
    if entry.estimated_s is not None:
        return Cell(status="left-out", estimate=entry.estimated_s)
    unfit = "not an image" if op == "ss2d" and not is_image(shape) else "not measured"
    return nothing(shape, entry.absent or unfit)
