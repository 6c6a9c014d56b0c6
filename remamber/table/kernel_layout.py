"""The tables of a kernel report that have a row for every shape: time, memory, error, threads."""

from remamber.table.kernel_cells import (
    HEAD,
    cell,
    is_image,
    memory_cell,
    nothing,
    ratio_cell,
    row,
    time_cell,
)
from remamber.table.kernel_start import start_table
from remamber.table.kernels import PASSES, TENSORS, KernelResults, ShapeResults
from remamber.table.model import Cell, Column, Table

TITLES = {"forward": "Forward", "training": "Forward and backward"}


def kernel_tables(results: KernelResults) -> tuple[Table, ...]:
    """All tables that the records have something for."""
    found = [
        *(times_table(results, which) for which in PASSES),
        fused_table(results),
        memory_table(results),
        errors_table(results),
        scaling_table(results),
        start_table(results),
    ]
    return tuple(table for table in found if table is not None)


def times_table(results: KernelResults, which: str) -> Table:
    """The scan in use: its time and how many times faster than others; then their times."""
    subject = results.label(results.subject)
    others = [n for n in results.names.get("scan", ()) if n != results.subject]
    against = [f"× {results.label(name)}" for name in results.analysis.kernels.baselines]
    columns = (
        Column(group=subject, label="time", unit="seconds"),
        *(Column(group=subject, label=label, unit="ratio") for label in against),
        Column(group=subject, label="× fastest peer", unit="ratio"),
        Column(group=subject, label="which is", unit="text"),
        Column(group=subject, label="of copy bandwidth", unit="share"),
        *(Column(group="Time of", label=results.label(n), unit="seconds") for n in others),
    )
    lead = tuple(f"{subject} {x}" for x in ("time", against[0], "× fastest peer"))
    rows = []
    for shape in results.shapes:
        cells = _subject(results, shape, which)
        cells += [time_cell(shape, "scan", name, which) for name in others]
        rows.append(row(shape, cells))
    return Table(
        name=which, title=TITLES[which], head=HEAD, columns=columns, rows=tuple(rows), lead=lead
    )


def fused_table(results: KernelResults) -> Table | None:
    """SS2D with cross scan and cross merge fused against the same scan with explicit copies."""
    shapes = [shape for shape in results.shapes if is_image(shape)]
    if not shapes or not results.names.get("ss2d"):
        return None
    kinds = (
        ("composed", "seconds"),
        ("fused", "seconds"),
        ("faster by", "ratio"),
        ("peak memory", "share"),
        ("of copy bandwidth", "share"),
    )
    columns = tuple(
        Column(group=TITLES[which], label=label, unit=unit)
        for which in PASSES
        for label, unit in kinds
    )
    return Table(
        name="fused",
        title="SS2D: fused against cross scan, scan and cross merge",
        head=HEAD,
        columns=columns,
        rows=tuple(
            row(shape, [c for which in PASSES for c in _fused(results, shape, which)])
            for shape in shapes
        ),
        lead=tuple(c.name for c in columns if c.label == "faster by"),
    )


def memory_table(results: KernelResults) -> Table:
    """Peak memory of one call besides its arguments, by pass and implementation that ran."""
    keys = [
        (which, op, name)
        for which in PASSES
        for op in ("scan", "ss2d")
        for name in results.names.get(op, ())
        if any(s.entry(op, name, which).peak_bytes is not None for s in results.measured)
    ]
    share = f"{results.label(results.subject)} of the fastest peer's"
    columns = [
        Column(group=TITLES[which], label=results.label(name), unit="bytes")
        for which, _, name in keys
    ]
    columns += [Column(group=share, label=TITLES[w].lower(), unit="share") for w in PASSES]
    rows = []
    for shape in results.shapes:
        cells = [memory_cell(shape, op, name, which) for which, op, name in keys]
        shares = [_share_of_peers_memory(results, shape, which) for which in PASSES]
        cells += [cell(shape, value, why="nothing to compare") for value in shares]
        rows.append(row(shape, cells))
    return Table(
        name="memory",
        title="Peak extra memory of one call",
        head=HEAD,
        columns=tuple(columns),
        rows=tuple(rows),
    )


def errors_table(results: KernelResults) -> Table | None:
    """Relative error of our results against float64, beside other float32 scans."""
    keys = [
        (op, name, tensor)
        for op, name in (("scan", results.subject), ("ss2d", results.fused))
        for tensor in TENSORS
        if any(s.error(op, name, tensor) is not None for s in results.measured)
    ]
    if not keys:
        return None
    others = [
        name
        for name in results.names.get("scan", ())
        if name != results.subject and any(s.worst_gradient("scan", name) for s in results.measured)
    ]
    columns = [Column(group=results.label(n), label=tensor, unit="error") for _, n, tensor in keys]
    columns += [
        Column(group="Worst gradient of", label=results.label(n), unit="error") for n in others
    ]
    rows = []
    for shape in results.shapes:
        cells = [_error(shape, *key) for key in keys]
        cells += [cell(shape, shape.worst_gradient("scan", n), why="not run") for n in others]
        rows.append(row(shape, cells))
    return Table(
        name="errors",
        title="Relative error against float64",
        head=HEAD,
        columns=tuple(columns),
        rows=tuple(rows),
    )


def scaling_table(results: KernelResults) -> Table | None:
    """How many times faster our scans become with more threads, on large shapes."""
    keys = sorted(
        {key for shape in results.measured for key in shape.scaled() if key[3] != "1"},
        key=lambda key: (*key[:3], int(key[3])),
    )
    if not keys:
        return None
    return Table(
        name="scaling",
        title="Thread scaling: times faster than with one thread",
        head=HEAD,
        columns=tuple(
            Column(
                group=f"{results.label(name)}, {TITLES[which].lower()}",
                label=f"{threads} threads",
                unit="ratio",
            )
            for _, name, which, threads in keys
        ),
        rows=tuple(
            row(shape, [ratio_cell(shape, shape.scaling(*key)) for key in keys])
            for shape in results.measured
            if shape.scaled()
        ),
    )


def _subject(results: KernelResults, shape: ShapeResults, which: str) -> list[Cell]:
    rival = results.fastest_peer(shape, which)
    against = (*results.analysis.kernels.baselines, rival)
    share = shape.bandwidth_share("scan", results.subject, which)
    return [
        time_cell(shape, "scan", results.subject, which),
        *(ratio_cell(shape, results.against(shape, name, which)) for name in against),
        Cell(text=results.label(rival)) if rival else nothing(shape, "no peer was timed"),
        cell(shape, share, why="not timed"),
    ]


def _fused(results: KernelResults, shape: ShapeResults, which: str) -> list[Cell]:
    names = (results.composed, results.fused)
    peaks = [shape.entry("ss2d", name, which).peak_bytes for name in names]
    share = peaks[1] / peaks[0] if peaks[0] and peaks[1] is not None else None
    rate = shape.bandwidth_share("ss2d", results.fused, which)
    return [
        *(time_cell(shape, "ss2d", name, which) for name in names),
        ratio_cell(shape, results.against_composed(shape, which)),
        *(cell(shape, value, why="not measured") for value in (share, rate)),
    ]


def _share_of_peers_memory(results: KernelResults, shape: ShapeResults, which: str) -> float | None:
    peer = results.fastest_peer(shape, which)
    mine = shape.entry("scan", results.subject, which).peak_bytes
    theirs = shape.entry("scan", peer, which).peak_bytes if peer else None
    return mine / theirs if mine is not None and theirs else None


def _error(shape: ShapeResults, op: str, name: str, tensor: str) -> Cell:
    unfit = op == "ss2d" and not is_image(shape)
    value = shape.error(op, name, tensor)
    return cell(shape, value, why="not an image" if unfit else "not run")
