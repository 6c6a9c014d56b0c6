"""The table of what the first scan in a process costs."""

from remamber.table.kernels import KernelResults, ShapeResults
from remamber.table.model import Cell, Column, Row, Table

_KINDS = {
    ("First call", "compiled anew"): ("first_call_s", "empty"),
    ("First call", "from the cache"): ("first_call_s", "filled"),
    ("Import", "torch and ops"): ("import_s", "filled"),
}


def start_table(results: KernelResults) -> Table | None:
    """First forward and backward of a process: compiled anew, and from the cache."""
    if results.start_up is None:
        return None
    start = ShapeResults(case="", record=results.start_up)
    measured = [
        m.where["implementation"] for m in results.start_up.measurements if "cache" in m.where
    ]
    missing = {
        key.rsplit(" ", 1)[1]: str(reason)
        for key, reason in results.start_up.data.items()
        if key.startswith("absent start-up ")
    }
    rows = []
    for name in dict.fromkeys((*measured, *missing)):
        values = [start.value(m, implementation=name, cache=c) for m, c in _KINDS.values()]
        cells = tuple(_cell(value, missing.get(name, "not measured")) for value in values)
        rows.append(Row(key=name, label=results.label(name), cells=cells))
    return Table(
        name="start-up",
        title="What the first call in a process costs",
        head="Implementation",
        columns=tuple(Column(group=g, label=label, unit="seconds") for g, label in _KINDS),
        rows=tuple(rows),
    )


def _cell(value: float | None, why: str) -> Cell:
    if value is not None:
        return Cell(value=value)
    return Cell(status="not-measured", reason=why)
