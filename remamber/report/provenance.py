"""Where the numbers come from: command, runs, commit, machine, software, data, protocol."""

from collections.abc import Callable, Iterable

from remamber.plan.spec import changed
from remamber.record.schema import PRECISION, Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.table.results import Results

PROTOCOLS = {
    "orig-bilinear-0.5": "logits resized bilinearly to the original image, foreground above 0.5"
}
MASK_RULES = {
    "union": "all pixels of a target's polygons",
    "eq1": "pixels of exactly one polygon, as LAVT and the release",
}
_SHOWN_PACKAGES = ("remamber-bench", "torch", "transformers", "accelerate", "numba", "numpy")


def condition(results: Results) -> str:
    """Data, size, steps, seeds and device in one line."""
    records = results.records
    if not records:
        return "no run has finished"
    seeds = {r.spec.seed for r in records}
    parts = [
        each(records, _data),
        each(records, lambda r: f"{r.spec.data.image_size} px"),
        each(records, _model),
        each(records, _length),
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}",
        each(records, _device),
        each(records, _precision),
        each(records, lambda r: f"{r.environment.scan_backend} scan"),
    ]
    return " · ".join(part for part in parts if part)


def _model(record: Record) -> str:
    model = record.spec.model
    return " ".join([*model.body(), *changed(model.fusion, "channel_scan", "spatial_scan")])


def provenance(results: Results) -> tuple[Section, ...]:
    """All sections; empty ones are left out."""
    records = results.records
    sections = (
        Section(title="Command", lines=_lines({"command": _commands(results)})),
        Section(title="Runs", lines=tuple((r.run_id, _run(r)) for r in _all(results))),
        Section(title="Machine and software", lines=_lines(machine_facts(records))),
        Section(title="Data", lines=_lines(_data_facts(records))),
        Section(title="Protocol", lines=_lines(_protocol(records))),
    )
    return tuple(section for section in sections if section.lines)


def _all(results: Results) -> list[Record]:
    bounds = results.selection.bounds
    return [*results.records, *([bounds] if bounds else [])]


def _commands(results: Results) -> str:
    return results.runs.command or each(results.records, lambda r: r.command)


def _run(record: Record) -> str:
    made = f"spec {record.digest[:16]}, seed {record.spec.seed}, {record.status}"
    return f"{made}, {fmt.seconds(record.wall_s)}, finished {record.finished}"


def machine_facts(records: tuple[Record, ...]) -> dict[str, str]:
    """Where some runs were made and with what."""
    return {
        "commit": each(records, _commit),
        "machine": each(records, lambda r: f"{r.environment.cpu}, {r.environment.cores} cores"),
        "memory": each(records, lambda r: fmt.size(r.environment.memory_bytes)),
        "platform": each(records, lambda r: r.environment.platform),
        "device": each(records, lambda r: r.environment.device),
        "threads": each(records, lambda r: str(r.environment.threads)),
        "scan implementation": each(records, lambda r: r.environment.scan_backend),
        "versions": each(records, _versions),
    }


def _data_facts(records: tuple[Record, ...]) -> dict[str, str]:
    keys = dict.fromkeys(key for r in records for key in r.data)
    facts = {
        key.replace("_", " "): each(records, lambda r, key=key: _fact(r.data.get(key)))  # type: ignore[misc]
        for key in keys
    }
    rules = each(records, lambda r: r.spec.data.mask_rule)
    return {**facts, "mask rule": f"{rules}: {MASK_RULES.get(rules, '')}".strip(": ")}


def _protocol(records: tuple[Record, ...]) -> dict[str, str]:
    name = each(records, lambda r: r.spec.evaluate.protocol)
    return {
        "protocol": f"{name}: {PROTOCOLS.get(name, '')}".strip(": "),
        "input": each(records, lambda r: f"resized to {r.spec.data.image_size} px square"),
        "expression length": each(records, lambda r: f"{r.spec.model.text.length} tokens"),
        "mIoU, oIoU": "mean over expressions of I/U; sum of I over sum of U; empty union counts 0",
        "Pr@X": "share of expressions with IoU strictly above X percent",
        "selection": "last step of the training, no choice by a split",
    }


def _data(record: Record) -> str:
    preset = record.spec.data.preset or record.data.get("preset")
    return record.spec.data.name + (f" ({preset})" if preset else "")


def _length(record: Record) -> str:
    train = record.spec.train
    if train is None:
        return ""
    length = f"{fmt.count(train.steps)} steps" if train.steps else f"{train.epochs} epochs"
    return f"{length} of {train.batch}"


def _device(record: Record) -> str:
    threads = record.environment.threads
    return f"{record.environment.device}, {threads} thread{'s' if threads != 1 else ''}"


def _precision(record: Record) -> str:
    asked = record.spec.train.precision if record.spec.train else ""
    computed = record.environment.details.get(PRECISION, asked)
    return computed if computed == asked else f"{computed} ({asked} asked for)"


def _commit(record: Record) -> str:
    if record.environment.commit is None:
        return "unknown (not run from a checkout)"
    return record.environment.commit[:12] + (
        ", with uncommitted changes" if record.environment.dirty else ""
    )


def _versions(record: Record) -> str:
    packages = record.environment.packages
    shown = [f"{name} {packages[name]}" for name in _SHOWN_PACKAGES if name in packages]
    return ", ".join([f"Python {record.environment.python}", *shown])


def _fact(value: str | int | float | None) -> str:
    if isinstance(value, float):
        return fmt.share(value) if 0 <= value <= 1 else f"{value:g}"
    return "" if value is None else fmt.count(value) if isinstance(value, int) else value


def each(records: Iterable[Record], of: Callable[[Record], str]) -> str:
    """The value of all records if they agree, else every value once."""
    return "; ".join(dict.fromkeys(text for r in records if (text := of(r))))


def _lines(facts: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in facts.items() if value)
