"""The sentences under the tables of a report of masks, and where its masks come from."""

from collections.abc import Mapping

from remamber.plan.question import MasksView
from remamber.record.schema import WEIGHTS_RUN, Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.report.provenance import each, machine_facts
from remamber.table.masks import MaskResults

READING = (
    "A tint with a white and black outline is a mask: green the target, blue a prediction. What"
    " lies outside it is faded; the dashed outline in a prediction is the target again."
)


def masks_notes(results: MaskResults, view: MasksView) -> tuple[str, ...]:
    """All notes that apply; the rule of the choice stands with the pictures."""
    named = view.labels
    found = [
        _fewer(results),
        _agreement(results),
        *(f"{named.get(key, key)} is not shown: {why}." for key, why in results.failed.items()),
        *_untrained(results, view),
        _unrecorded(results),
        *dict.fromkeys(
            f"Warning of a run: {w}" for r in results.records.values() for w in r.warnings
        ),
    ]
    return tuple(note for note in found if note)


def masks_provenance(results: MaskResults, labels: Mapping[str, str]) -> tuple[Section, ...]:
    """Command, runs, weights, machine, data and protocol."""
    records = tuple(results.records.values())
    weights = {labels[key]: _weights(record) for key, record in results.records.items()}
    runs = {r.run_id: f"spec {r.digest[:16]}, {fmt.seconds(r.wall_s)}" for r in records}
    protocol = each(records, lambda r: r.spec.evaluate.protocol)
    data = {
        "name": each(records, lambda r: str(r.data.get("name", r.spec.data.name))),
        "fingerprint": each(records, lambda r: str(r.data.get("fingerprint", ""))),
        "split": results.spec.split,
        "protocol": protocol,
        "input": each(records, lambda r: f"resized to {r.spec.data.image_size} px square"),
    }
    sections = {
        "Command": {"command": results.runs.command or each(records, lambda r: r.command)},
        "Runs": runs,
        "Weights": weights,
        "Machine and software": machine_facts(records),
        "Data and protocol": data,
    }
    return tuple(
        Section(title=title, lines=tuple((k, v) for k, v in lines.items() if v))
        for title, lines in sections.items()
    )


def _weights(record: Record) -> str:
    weights = record.spec.weights
    digest = f"sha256 {weights.sha256[:16]}" if weights is not None else ""
    trained = record.data.get(WEIGHTS_RUN)
    return ", ".join(filter(None, (f"run {trained}" if trained else "", digest)))


def _fewer(results: MaskResults) -> str:
    """Which rules found fewer images than were asked for."""
    spec = results.spec
    shown = [example.rule for example in results.examples]
    lacking = [rule for rule in spec.rules if shown.count(rule) < spec.count]
    if not lacking:
        return ""
    if lacking == ["disagreement"] and len(spec.rows) < 2:
        return "There is one row, and so no disagreement to show."
    found = [f"{rule} {shown.count(rule)}" for rule in lacking]
    return f"Fewer than {spec.count} images were left for {fmt.listed(found)}."


def _agreement(results: MaskResults) -> str:
    compared, differing, pixels = results.agreement
    if not compared:
        return (
            "The counts of the runs that trained these weights are not at hand, so the masks were"
            " not held against them."
        )
    if not differing:
        return (
            f"Checked: all {compared} masks have the intersection and union, to the pixel, that"
            " the runs that trained these weights counted."
        )
    verb = "differs" if differing == 1 else "differ"
    unit = "pixel" if pixels == 1 else "pixels"
    return (
        f"Checked: {differing} of {compared} masks {verb} from what the runs that trained these"
        f" weights counted, in intersection or union, by at most {fmt.count(pixels)} {unit}."
    )


def _untrained(results: MaskResults, view: MasksView) -> list[str]:
    """Which rows that other studies train are not among the usual ones."""
    known = {*results.runs.rows.values(), *results.records}
    usual = set(view.labels) - set(view.beside)
    return [
        f"{view.labels.get(key, key)} is not shown: {command} trains it."
        for key, command in view.beside.items()
        if key not in known and usual <= known
    ]


def _unrecorded(results: MaskResults) -> str:
    missing = results.unrecorded
    if not missing:
        return ""
    total = len(results.runs.run_ids)
    return f"{len(missing)} of {total} runs have no record yet: {fmt.listed(list(missing))}."
