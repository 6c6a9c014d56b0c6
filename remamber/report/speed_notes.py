"""The sentences under the tables of a speed report, and where its numbers come from."""

from collections.abc import Callable

from remamber.record.schema import Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.report.provenance import each, machine_facts
from remamber.report.timings import mixed_note, noise_words, unrecorded_note
from remamber.rounds import DELTA, LEAST_ROUNDS
from remamber.table.speed import Group, SpeedResults

_CROWDED = 0.05
"""Share of the cores that others used during the rounds: times are less certain from there on."""


def speed_notes(results: SpeedResults) -> tuple[str, ...]:
    """All notes that apply, most needed first."""
    found = [
        *_disturbed(results),
        "Each group runs in a fresh process, its models interleaved in rounds whose order is"
        " rotated and reversed; the first call is apart, and the rounds begin when a model's time"
        " has become steady or the warm-up's cap is reached. Median and p90 are over blocks; a"
        " ratio is the median of the rounds' own ratios, its interval a bootstrap over rounds"
        f" (not given below {LEAST_ROUNDS}). Faster and slower need that interval, a signed-rank"
        f" test and a difference above {_least(results)}; same needs the interval within that.",
        _scope(results),
        _batches(results),
        _accuracy(results),
        _memory(results),
        _exponents(results),
        _scan(results),
        _unsteady(results),
        *_reasons(results),
        unrecorded_note(results),
        mixed_note(
            [r.spec.speed for r in results.records if r.spec.speed is not None], what="groups"
        ),
        *dict.fromkeys(f"Warning of a run: {w}" for r in results.records for w in r.warnings),
    ]
    return tuple(note for note in found if note)


def speed_condition(results: SpeedResults) -> str:
    """Device, processor, threads and settings in one line."""
    records = results.records
    if not records:
        return "no run has finished"
    conditions = dict.fromkeys(", ".join(g.chain[1:]) for g in results.groups if g.chain)
    parts = [
        each(records, lambda r: r.environment.device),
        each(records, lambda r: f"{r.environment.cpu}, {r.environment.cores} cores"),
        each(records, _threads),
        "; ".join(conditions),
        each(records, _sizes),
        each(records, lambda r: f"{r.environment.scan_backend} scan"),
        each(records, lambda r: f"torch {r.environment.packages.get('torch', '?')}"),
        "random weights and inputs",
        noise_words(results.noise),
    ]
    return " · ".join(parts)


def speed_provenance(results: SpeedResults) -> tuple[Section, ...]:
    """Command, runs, models, machine, and what else was measured of it."""
    records = results.records
    command = results.runs.command or each(records, lambda r: r.command)
    models = tuple((label, key) for key, label in results.labels.items())
    details = dict.fromkeys(name for r in records for name in r.environment.details)
    said = tuple((name, each(records, _detail(name))) for name in details)
    sections = (
        Section(title="Command", lines=(("command", command),)),
        Section(title="Runs", lines=tuple((r.run_id, _run(r)) for r in records)),
        Section(title="Models", lines=models),
        Section(title="Machine and software", lines=_lines(machine_facts(records))),
        Section(title="Noise", lines=tuple((g.label, _noise(g)) for g in results.measured)),
        Section(title="Details", lines=said),
    )
    return tuple(section for section in sections if section.lines)


def _least(results: SpeedResults) -> str:
    """The smallest difference that counts, and whose noise it is."""
    found = max((group.delta for group in results.measured), default=DELTA)
    if found > DELTA:
        return f"{fmt.percent(found)} %, this machine's noise"
    return fmt.share(found)


def _disturbed(results: SpeedResults) -> list[str]:
    found = []
    for group in results.measured:
        cores = group.record.environment.cores if group.record is not None else 1
        others = group.value("others_cores")
        if others is not None and others > _CROWDED * cores:
            found.append(f"{group.label} ({others:.1f} of {cores} cores)")
    if not found:
        return []
    return [
        "Caution: other processes computed while these groups were timed, so that their times are"
        f" longer and less certain than on a quiet machine: {fmt.listed(found)}."
    ]


def _scope(results: SpeedResults) -> str:
    scopes = {g.settings.scope for g in results.groups if g.settings is not None}
    modes = {g.settings.mode for g in results.groups if g.settings is not None}
    said = []
    if "train" in modes:
        said.append(
            "A training step is forward, loss, backward and the optimiser's step, the same loss"
            " and optimiser for all models."
        )
    if "infer" in modes and "net" in scopes:
        said.append(
            "net: from the image's tensor and the expression's tokens to logits, text encoder"
            " included, which the details give apart."
        )
    if "e2e" in scopes:
        said.append(
            "e2e: from a photograph of 640 by 480 and a text to a mask of that size: tokenise,"
            " resize, to the device, network, back to the photograph's size, threshold."
        )
    return " ".join(said)


def _memory(results: SpeedResults) -> str:
    if results.on_gpu:
        return (
            "Memory is that of a process of its own: needed and peak are the allocator's over a"
            " warm iteration, activations what that is above what was there before it, process the"
            " resident set on the host."
        )
    return (
        "No CUDA: memory is the resident set of a process of its own. Peak is its highest point"
        " during a warm iteration, libraries included; activations what that is above the point"
        " before it; needed the activations, the weights and an optimiser's state together; process"
        " the highest point ever. What a GPU's allocator would say is not known."
    )


def _exponents(results: SpeedResults) -> str:
    if not any(len({g.image_size for g in groups}) > 1 for groups in results.chains.values()):
        return ""
    return (
        "Exponents are slopes of log cost on log pixels over all sizes of a condition. The interval"
        " of time is a bootstrap over blocks, which knows the noise of the timing and not whether"
        " the power law fits; that of memory is the regression's."
    )


def _scan(results: SpeedResults) -> str:
    """The scan's place below the memory's roof, where the kernel study was run here."""
    shares = results.scan_shares
    if not shares:
        return ""
    low, high = min(shares, key=lambda k: shares[k]), max(shares, key=lambda k: shares[k])
    return (
        "By the records of the scan's kernels on this machine, a forward scan reaches"
        f" {fmt.share(shares[low])} ({low}) to {fmt.share(shares[high])} ({high}) of the bandwidth"
        " of a copy, which is its roof."
    )


def _unsteady(results: SpeedResults) -> str:
    steady = {
        f"{results.labels[key]} at {group.label}": value
        for group in results.measured
        for key in results.labels
        if (value := group.time(key, "steady")) is not None
    }
    found = [name for name, value in steady.items() if value == 0]
    if not found:
        return ""
    if len(found) == len(steady) > 1:
        return "No model's time was steady when its warm-up reached the cap."
    return f"Not steady when its warm-up reached the cap: {fmt.listed(found)}."


def _reasons(results: SpeedResults) -> list[str]:
    found: dict[str, list[str]] = {}
    for group in results.groups:
        if group.record is not None and not group.ok:
            said = f"the run failed: {_cause(group.record)}"
            found.setdefault(said, []).append(group.label)
        for key, label in results.labels.items():
            reason = group.reason(key)
            if reason:
                found.setdefault(f"{label}: {reason}", []).append(group.label)
    return [f"Not measured at {fmt.listed(labels)}: {reason}." for reason, labels in found.items()]


def _cause(record: Record) -> str:
    """The error of a traceback, which stands last, or what is said of a process's death."""
    lines = (record.error or "no reason given").strip().splitlines()
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _accuracy(results: SpeedResults) -> str:
    """Of what the accuracy beside the cost is, and which models have none."""
    accuracy, group = results.accuracy, results.scored_at()
    if accuracy is None or group is None:
        return ""
    missing = [label for key, label in results.labels.items() if key not in accuracy.scores]
    text = f"mIoU is that of {accuracy.condition}"
    if group.image_size != accuracy.image_size:
        text += f"; the cost beside it is that at {group.label}"
    return text + (f". Without a score: {fmt.listed(missing)}." if missing else ".")


def _batches(results: SpeedResults) -> str:
    """The batches that were looked for, which differ from row to row."""
    found = [
        f"{fmt.count(batch)} at {group.label}"
        for group in results.measured
        if (batch := group.value("batch")) is not None
    ]
    if not found:
        return ""
    return (
        f"The largest batch that all models fit with, within an eighth: {fmt.listed(found)}. Rows"
        " at different batches cannot be compared with each other; exponents mean little."
    )


def _noise(group: Group) -> str:
    known = {
        "waited for cores before": group.value("cpu_pressure"),
        "others used": group.value("others_cores"),
        "load": group.value("load"),
        "involuntary switches": group.value("involuntary_switches"),
        "swapped pages": group.value("swapped_pages"),
    }
    forms: dict[str, Callable[[float], str]] = {
        "waited for cores before": fmt.share,
        "others used": lambda v: f"{v:.2f} cores",
        "load": lambda v: f"{v:.1f}",
    }
    parts = [f"{n} {forms.get(n, fmt.count)(v)}" for n, v in known.items() if v is not None]
    return ", ".join(parts)


def _threads(record: Record) -> str:
    threads = record.environment.threads
    return f"{threads} thread{'s' if threads != 1 else ''}"


def _sizes(record: Record) -> str:
    speed = record.spec.speed
    sizes = dict.fromkeys(m.size for m in speed.models) if speed is not None else {}
    return f"{', '.join(sizes)} size" if sizes else ""


def _run(record: Record) -> str:
    made = f"spec {record.digest[:16]}, {record.status}"
    return f"{made}, {fmt.seconds(record.wall_s)}, finished {record.finished}"


def _detail(name: str) -> Callable[[Record], str]:
    return lambda record: record.environment.details.get(name, "")


def _lines(facts: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in facts.items() if value)
