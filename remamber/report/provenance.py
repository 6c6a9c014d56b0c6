"""Where the numbers come from: command, runs, commit, machine, software, data, protocol."""

from collections.abc import Callable, Iterable, Sequence

from remamber.plan.protocols import PROTOCOLS
from remamber.plan.spec import changed
from remamber.record.schema import PRECISION, WEIGHTS, WEIGHTS_RUN, Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.table.results import Results

MASK_RULES = {
    "union": "all pixels of a target's polygons",
    "eq1": "pixels of exactly one polygon, as LAVT and the release",
}
_MOST_MODELS = 3
"""More would make the line of conditions unreadable."""
_SHOWN_PACKAGES = ("remamber-bench", "torch", "transformers", "accelerate", "numba", "numpy")


def condition(records: Sequence[Record]) -> str:
    """Data, size, model, steps, seeds and device in one line."""
    if not records:
        return "no run has finished"
    seeds = {r.spec.seed for r in records}
    parts = [
        each(records, _data),
        each(records, lambda r: f"{r.spec.data.image_size} px"),
        _models(records),
        each(records, _length),
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}",
        each(records, _device),
        each(records, _precision),
        each(records, _recipe),
        each(records, _scan),
        each(records, lambda r: f"protocol {r.spec.evaluate.protocol}"),
    ]
    return " · ".join(part for part in parts if part)


def _recipe(record: Record) -> str:
    """What of the training is not the release's, apart from its length and rates."""
    train = record.spec.train
    return f"{train.loss} loss" if train and changed(train, "loss") else ""


def _scan(record: Record) -> str:
    backend = record.environment.scan_backend
    return "no scan" if backend == "none" else f"{backend} scan"


def _models(records: Sequence[Record]) -> str:
    """The models and their parts: decoder, text encoder and what the backbone started from."""
    names = each(records, _model)
    if names.count(";") >= _MOST_MODELS:
        # A study of models: its rows name them.
        names = each(records, lambda r: f"{r.spec.model.name} {r.spec.model.size}")
    decoders = each(records, lambda r: r.spec.model.decoder if r.spec.model.fused else "")
    texts = each(records, lambda r: r.spec.model.text.name)
    return ", ".join(
        [
            names,
            *([f"{decoders} decoder"] if decoders else []),
            f"{texts} text",
            each(records, _start),
        ]
    )


def _model(record: Record) -> str:
    model = record.spec.model
    own = changed(model.fusion, "channel_scan", "spatial_scan")
    return " ".join([*model.body(), *own, *model.fusion.option_words()])


def _start(record: Record) -> str:
    start = record.spec.model.start
    return f"started from {start.name}" if start is not None else "from scratch"


def provenance(results: Sequence[Results]) -> tuple[Section, ...]:
    """All sections, that on the data once for every data set; empty ones are left out."""
    records = tuple(record for r in results for record in r.records)
    bounds = [r.selection.bounds for r in results if r.selection.bounds is not None]
    command = results[0].runs.command or each(records, lambda r: r.command)
    sections = (
        Section(title="Command", lines=_lines({"command": command})),
        Section(title="Runs", lines=tuple((r.run_id, _run(r)) for r in (*records, *bounds))),
        Section(title="Machine and software", lines=_lines(machine_facts(records))),
        *(
            Section(title=f"Data: {r.dataset}".rstrip(": "), lines=_lines(_data_facts(r.records)))
            for r in results
        ),
        Section(title="Protocol", lines=_lines(_protocol(records))),
    )
    return tuple(section for section in sections if section.lines)


def _run(record: Record) -> str:
    made = f"spec {record.digest[:16]}, seed {record.spec.seed}, {record.status}"
    return f"{made}, {fmt.seconds(record.wall_s)}, finished {record.finished}{_weights(record)}"


def _weights(record: Record) -> str:
    """Whose weights a run looked at; empty for a training."""
    if WEIGHTS_RUN in record.data:
        return f", weights of run {record.data[WEIGHTS_RUN]}"
    return f", weights {record.data[WEIGHTS]}" if WEIGHTS in record.data else ""


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
    keys = dict.fromkeys(
        key for r in records for key in r.data if key not in (WEIGHTS, WEIGHTS_RUN)
    )
    facts = {
        key.replace("_", " "): each(records, lambda r, key=key: _fact(r.data.get(key)))  # type: ignore[misc]
        for key in keys
    }
    rules = each(records, lambda r: r.spec.data.mask_rule)
    return {**facts, "mask rule": f"{rules}: {MASK_RULES.get(rules, '')}".strip(": ")}


def _protocol(records: tuple[Record, ...]) -> dict[str, str]:
    name = each(records, lambda r: r.spec.evaluate.protocol)
    return {
        "protocol": f"{name}: {PROTOCOLS[name].summary}" if name in PROTOCOLS else name,
        "input": each(records, lambda r: f"resized to {r.spec.data.image_size} px square"),
        "expression length": each(records, lambda r: f"{r.spec.model.text.length} tokens"),
        "mIoU, oIoU": "mean over expressions of I/U; sum of I over sum of U; empty union counts 0",
        "Pr@X": "share of expressions with IoU strictly above X percent",
        "selection": "weights of the last step; no split was used to choose them",
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
