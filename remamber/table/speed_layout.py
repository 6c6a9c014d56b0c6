"""The tables of a speed report: time, memory, growth, and what a first call and a text cost."""

from remamber.table.growth import Exponent
from remamber.table.model import Cell, Column, Row, Table
from remamber.table.speed import TEXT, Group, SpeedResults

HEAD = "Image"
MOST_BESIDE = 3
"""Models that stand side by side; more of them are rows."""
_MEMORY = (
    ("needed", "needed_bytes"),
    ("weights", "weights_bytes"),
    ("activations", "activations_bytes"),
    ("peak", "peak_bytes"),
    ("reserved", "reserved_bytes"),
    ("process", "rss_peak_bytes"),
)
"""Heading and metric of what is known of a model's memory."""


def speed_tables(results: SpeedResults) -> tuple[Table, ...]:
    """All tables that the records have something for."""
    if len(results.labels) > MOST_BESIDE:
        found = [*models_tables(results), growth_table(results)]
    else:
        found = [times_table(results), memory_table(results), growth_table(results)]
        found.append(details(results))
    return tuple(table for table in found if table is not None)


def times_table(results: SpeedResults) -> Table:
    """Time of an iteration by model and image, and every other model against the first."""
    subject = results.subject
    columns: list[Column] = []
    for label in results.labels.values():
        columns += [
            Column(group=label, label="median", unit="seconds"),
            Column(group=label, label="p90", unit="seconds"),
            Column(group=label, label="images/s", unit="per-second"),
        ]
    mine = results.labels.get(subject or "", "")
    for key in results.rivals:
        place = f"{mine} against {results.labels[key]}"
        columns += [
            Column(group=place, label="takes", unit="ratio"),
            Column(group=place, label="verdict", unit="text"),
        ]
    rows = []
    for group in results.groups:
        cells = [cell for key in results.labels for cell in _times(group, key)]
        cells += [c for key in results.rivals for c in _against(group, subject or "", key)]
        rows.append(Row(key=group.label, label=group.label, cells=tuple(cells)))
    lead = [f"{label} median" for label in results.labels.values()]
    return Table(
        name="time",
        title="Time of one iteration",
        head=HEAD,
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple([*lead, *(c.name for c in columns if c.group.startswith(f"{mine} against"))]),
    )


def memory_table(results: SpeedResults) -> Table | None:
    """Memory by model and image; none if no run measured it."""
    if not any(
        group.memory(key, "rss_peak_bytes") for group in results.measured for key in results.labels
    ):
        return None
    columns = [
        Column(group=label, label=heading, unit="bytes")
        for label in results.labels.values()
        for heading, _ in _MEMORY
    ]
    rows = [
        Row(
            key=group.label,
            label=group.label,
            cells=tuple(
                _memory(group, key, metric) for key in results.labels for _, metric in _MEMORY
            ),
        )
        for group in results.groups
    ]
    return Table(
        name="model-memory",
        title="Memory of one iteration",
        head=HEAD,
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.label == "needed"),
    )


def models_tables(results: SpeedResults) -> list[Table | None]:
    """A table for every group with a row for every model: time, memory, parameters, accuracy."""
    scored = results.scored_at()
    columns = [
        Column(group="One iteration", label="median", unit="seconds"),
        Column(group="One iteration", label="p90", unit="seconds"),
        Column(group="One iteration", label="images/s", unit="per-second"),
        Column(group="Against the first", label="takes", unit="ratio"),
        Column(group="Against the first", label="verdict", unit="text"),
        *(Column(group="Memory", label=h, unit="bytes") for h, _ in _MEMORY[:3]),
        Column(group="", label="parameters", unit="parameters"),
    ]
    found: list[Table | None] = []
    for number, group in enumerate(results.groups):
        more = group is scored and results.accuracy is not None
        extra = [Column(group="", label="mIoU", unit="fraction")] if more else []
        rows = [_model_row(results, group, key, more=more) for key in results.labels]
        found.append(
            Table(
                name=f"group-{number}" if number else "time",
                title=f"Cost of one iteration at {group.label}",
                head="Model",
                columns=tuple([*columns, *extra]),
                rows=tuple(rows),
                lead=("One iteration median", "Against the first takes", "Memory needed", "mIoU"),
            )
        )
    return found


def _model_row(results: SpeedResults, group: Group, key: str, *, more: bool) -> Row:
    cells = _times(group, key)
    if key == results.subject:
        cells += [Cell(status="not-measured", reason="itself"), Cell(text="")]
    else:
        cells += _against(group, key, results.subject or "")
    cells += [_memory(group, key, metric) for _, metric in _MEMORY[:3]]
    cells.append(_cell(group, key, group.value("parameters", model=key)))
    if more and results.accuracy is not None:
        score = results.accuracy.scores.get(key)
        cells.append(
            Cell(value=score.value, n=score.seeds)
            if score is not None
            else Cell(status="not-measured", reason="not trained")
        )
    label = results.labels[key]
    return Row(key=key, label=label, cells=tuple(cells))


def growth_table(results: SpeedResults) -> Table | None:
    """Exponents of time and memory against pixels, for every model and condition."""
    rows = []
    for chain, groups in results.chains.items():
        if len({g.image_size for g in groups}) < 2:
            continue
        words = f" ({', '.join(chain)})" if len(results.chains) > 1 else ""
        for key, label in results.labels.items():
            found = (
                results.time_exponent(key, chain),
                results.memory_exponent(key, chain),
                results.memory_exponent(key, chain, "needed_bytes"),
            )
            name = f"{label}{words}"
            rows.append(Row(key=name, label=name, cells=tuple(map(_exponent, found))))
    if not rows:
        return None
    return Table(
        name="growth",
        title="Growth with pixels: 1 is linear, 2 quadratic",
        head="Model",
        columns=tuple(
            Column(group="Exponent of", label=label, unit="exponent")
            for label in ("time", "activations", "memory needed")
        ),
        rows=tuple(rows),
    )


def details(results: SpeedResults) -> Table:
    """First call, text encoder alone, the second clock and rounds, by model and image."""
    clock = ("device", "device_s") if results.on_gpu else ("CPU time", "cpu_s")
    columns = [
        Column(group=label, label=heading, unit=unit)
        for label in results.labels.values()
        for heading, unit in (
            ("first call", "seconds"),
            (clock[0], "seconds"),
            ("text encoder", "seconds"),
            ("rounds", "count"),
            ("parameters", "parameters"),
        )
    ]
    rows = []
    for group in results.groups:
        cells = []
        for key in results.labels:
            cells += [
                _cell(group, key, group.time(key, "first_call_s")),
                _cell(group, key, group.time(key, clock[1])),
                _cell(group, key, group.time(key, part=TEXT)),
                _cell(group, key, group.time(key, "blocks")),
                _cell(group, key, group.value("parameters", model=key)),
            ]
        rows.append(Row(key=group.label, label=group.label, cells=tuple(cells)))
    return Table(
        name="details",
        title="First call, second clock, text encoder",
        head=HEAD,
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.label == "first call"),
    )


def _times(group: Group, key: str) -> list[Cell]:
    median, p90 = group.time(key), group.time(key, "time_p90_s")
    batch = group.settings.batch if group.settings is not None else 1
    batch = int(group.value("batch") or batch)
    rate = batch / median if median else None
    return [_cell(group, key, value) for value in (median, p90, rate)]


def _against(group: Group, subject: str, rival: str) -> list[Cell]:
    """How long the subject takes by a rival's measure, and what may be said of it."""
    ratio, verdict = group.ratio(subject, rival), group.verdict(subject, rival)
    if ratio is None or verdict is None:
        lost = next((k for k in (subject, rival) if group.status(k) != "ok"), None)
        if lost is None:
            return [Cell(status="not-measured", reason="one of them was not timed")] * 2
        return [Cell(status=group.status(lost))] * 2
    return [
        Cell(value=ratio.value, low=ratio.low, high=ratio.high, n=ratio.rounds),
        Cell(text=verdict),
    ]


def _memory(group: Group, key: str, metric: str) -> Cell:
    why = "not measured"
    if metric == "reserved_bytes" and group.settings is not None:
        why = "no CUDA" if group.settings.device == "cpu" else why
    return _cell(group, key, group.memory(key, metric), why=why)


def _cell(group: Group, key: str, value: float | None, *, why: str = "not measured") -> Cell:
    if value is not None:
        return Cell(value=value)
    status = group.status(key)
    return Cell(status=status) if status != "ok" else Cell(status="not-measured", reason=why)


def _exponent(found: Exponent | None) -> Cell:
    if found is None:
        return Cell(status="not-measured", reason="fewer than two sizes")
    return Cell(value=found.value, low=found.low, high=found.high, n=found.sizes)
