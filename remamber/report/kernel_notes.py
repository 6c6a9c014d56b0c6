"""The sentences under the tables of a kernel report, and where its numbers come from."""

from collections.abc import Callable, Iterable

from remamber.record.schema import Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.report.provenance import each, machine_facts
from remamber.report.timings import mixed_note, noise_words, unrecorded_note
from remamber.rounds import LEAST_ROUNDS
from remamber.table.kernels import KernelResults

COPY_MIB = 256
BUSY = 0.1
"""Share of the last ten seconds in which something waited for a core: times are not trusted."""


def kernel_notes(results: KernelResults) -> tuple[str, ...]:
    """All notes that apply, most needed first."""
    found = [
        "Times are medians over interleaved rounds in one process a shape, warm, the same tensors"
        " each time. A ratio is the median of the rounds' own ratios; the brackets hold its 95 %"
        f" interval (bootstrap over rounds; not given below {LEAST_ROUNDS} rounds).",
        _busy(results),
        _copy(results),
        _left_out(results),
        _absent(results),
        "Memory is what one call adds to the resident set at its peak (on a GPU: to the"
        " allocator's), results and saved tensors included, exact to about a MiB.",
        _compared(results),
        "What is timed of a peer: the scan alone with its discretisation, arguments already in its"
        " own layout. mambapy and transformers have no groups: the first gets B and C by"
        " broadcasting, the second is called once a group.",
        "Composed: the channels-last image and its step sizes laid out once for each direction, the"
        " same scan, the merge. Where they lie channels-first already the lay-out costs less;"
        " tests/ops/bench_directional.py times that rival as well.",
        *_failures(results),
        unrecorded_note(results),
        mixed_note(
            [r.spec.kernels for r in results.records if r.spec.kernels is not None], what="shapes"
        ),
        *dict.fromkeys(f"Warning of a run: {w}" for r in results.records for w in r.warnings),
    ]
    return tuple(note for note in found if note)


def kernel_condition(results: KernelResults) -> str:
    """Device, processor, threads, type and profile in one line."""
    if not results.records:
        return "no run has finished"
    parts = [
        each(results.records, lambda r: r.environment.device),
        each(results.records, _cpu),
        each(results.records, _threads),
        "float32",
        f"{results.subject} scan",
        each(results.records, lambda r: f"torch {r.environment.packages.get('torch', '?')}"),
        f"profile {results.runs.profile}",
        noise_words(results.noise),
    ]
    return " · ".join(parts)


def kernel_provenance(results: KernelResults) -> tuple[Section, ...]:
    """Command, runs, machine, what the machine can do, and what each backend said of itself."""
    records = results.records
    command = results.runs.command or each(records, lambda r: r.command)
    details = dict.fromkeys(name for r in records for name in r.environment.details)
    said = {name: each(records, _detail(name)) for name in details}
    sections = (
        Section(title="Command", lines=(("command", command),)),
        Section(title="Runs", lines=tuple((r.run_id, _run(r)) for r in records)),
        Section(title="Machine and software", lines=_lines(machine_facts(records))),
        Section(title="Measured limits", lines=_limits(results)),
        Section(title="Details", lines=_lines(said)),
    )
    return tuple(section for section in sections if section.lines)


def _copy(results: KernelResults) -> str:
    rates = [s.value("copy_bandwidth") for s in results.measured]
    known = [rate for rate in rates if rate is not None]
    if not known:
        return ""
    low, high = fmt.rate(min(known), "B/s"), fmt.rate(max(known), "B/s")
    return (
        f"Bandwidth is the least traffic of the pass (each tensor once) over the time, as a share"
        f" of a copy of {COPY_MIB} MiB in the same process, read plus write: {low}"
        f"{'' if low == high else f' to {high}'}. A shape that fits into a cache may exceed it."
    )


def _busy(results: KernelResults) -> str:
    found = {
        record.spec.kernels.case: m.value
        for record in results.records
        if record.spec.kernels is not None
        for m in record.measurements
        if m.metric == "cpu_pressure" and m.value >= BUSY
    }
    if not found:
        return ""
    return (
        "Caution: other processes were waiting for the cores when"
        f" {fmt.listed(list(found))} began (up to {fmt.share(max(found.values()))} of the time);"
        " these times are less certain than their intervals."
    )


def _left_out(results: KernelResults) -> str:
    if not any(m.metric == "estimated_s" for r in results.records for m in r.measurements):
        return ""
    return (
        "Not run: a call would have taken longer than this profile allows, by the time of shorter"
        " sequences; a loop under autograd grows with the square of the length."
    )


def _absent(results: KernelResults) -> str:
    reasons: dict[str, str] = {}
    for record in results.records:
        for key, reason in record.data.items():
            if key.startswith("absent scan "):
                name = key.removeprefix("absent scan ").rsplit(" ", 1)[0]
                reasons.setdefault(results.label(name), str(reason))
    if not reasons:
        return ""
    return f"Not here: {fmt.listed([f'{name} ({reason})' for name, reason in reasons.items()])}."


def _compared(results: KernelResults) -> str:
    part = [
        s.case
        for s in results.measured
        if (s.value("compared_channels") or 0) < (_channels(s.record) or 0)
    ]
    if not part:
        return ""
    return (
        "Errors are the largest difference over the largest magnitude of the tensor. On"
        f" {fmt.listed(part)} they were taken with fewer channels and the whole length."
    )


def _channels(record: Record | None) -> int | None:
    from remamber.plan.scan_shapes import SHAPES

    kernels = record.spec.kernels if record is not None else None
    shape = SHAPES.get(kernels.case) if kernels is not None else None
    return shape.d if shape is not None else None


def _failures(results: KernelResults) -> list[str]:
    found = []
    for record in results.records:
        if record.status != "ok" and record.spec.kernels is not None:
            lines = [line.strip() for line in (record.error or "").splitlines() if line.strip()]
            said = "ran out of memory" if record.status == "oom" else "failed"
            last = f": {lines[-1]}" if lines else "."
            found.append(f"{record.spec.kernels.case} {said}{last}")
    return found


def _limits(results: KernelResults) -> tuple[tuple[str, str], ...]:
    lines = []
    for shape in results.measured:
        copy, product = shape.value("copy_bandwidth"), shape.value("product_rate")
        if copy is not None and product is not None:
            said = f"copy {fmt.rate(copy, 'B/s')}, matrix product {fmt.rate(product, 'FLOP/s')}"
            lines.append((shape.case, said))
    return tuple(lines)


def _cpu(record: Record) -> str:
    return f"{record.environment.cpu}, {record.environment.cores} cores"


def _threads(record: Record) -> str:
    threads = record.environment.threads
    return f"{threads} thread{'s' if threads != 1 else ''}"


def _run(record: Record) -> str:
    made = f"spec {record.digest[:16]}, {record.status}"
    return f"{made}, {fmt.seconds(record.wall_s)}, finished {record.finished}"


def _detail(name: str) -> Callable[[Record], str]:
    return lambda record: record.environment.details.get(name, "")


def _lines(facts: dict[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    pairs = facts.items() if isinstance(facts, dict) else facts
    return tuple((name, value) for name, value in pairs if value)
