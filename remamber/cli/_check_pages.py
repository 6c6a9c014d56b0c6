"""The result of ``data check`` as a page: a data card in words, and the same for a program."""

from typing import TYPE_CHECKING, Any

from remamber.report.data_card import CardTable, DataCard

if TYPE_CHECKING:
    from remamber.datasets._gates.check import Report
    from remamber.datasets._gates.gate import Gate

_PERCENT = ("mIoU", "Pr@50", "share")


def card_of(report: "Report", *, sheet_words: str = "") -> DataCard:
    """What a check found, as a card."""
    kept = report.subject.provenance
    name = report.subject.dataset.name
    chosen = [kept["preset"], kept.get("difficulty", "default")] if kept is not None else []
    return DataCard(
        title=", ".join([name, *chosen, *([f"seed {kept['seed']}"] if kept else [])]),
        verdict=_verdict(report),
        facts=_facts(report),
        findings=tuple((f.severity, f.what, f.where, f.fix) for f in report.findings),
        tables=tuple([*_sizes(report), *_gates(report)]),
        sheet_words=sheet_words,
    )


def as_document(report: "Report") -> dict[str, Any]:
    """What a check found, for a program."""
    kept = report.subject.provenance
    dataset = report.subject.dataset
    return {
        "schema_version": 1,
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "location": str(dataset.location),
        "size": report.size,
        "settings": {
            k: kept[k] for k in ("preset", "difficulty", "seed", "knobs") if kept and k in kept
        },
        "splits": {
            name: {"images": report.images[name], **size._asdict()}
            for name, size in report.sizes.items()
        },
        "findings": [finding._asdict() for finding in report.findings],
        "gates": [gate._asdict() for gate in report.gates],
        "exit_code": int(report.exit_code),
    }


def _verdict(report: "Report") -> str:
    severities = [finding.severity for finding in report.findings]
    if "damaged" in severities or "missing" in severities:
        return "verdict: not usable as it is; see the fixes above"
    failed = [gate.name for gate in report.gates if gate.state == "fail"]
    warned = severities.count("warning")
    warnings = f", {warned} warning{'s' if warned > 1 else ''}" if warned else ""
    if failed:
        count = "1 gate fails" if len(failed) == 1 else f"{len(failed)} gates fail"
        return f"verdict: {count} ({', '.join(dict.fromkeys(failed))}){warnings}"
    passed = sum(gate.state == "pass" for gate in report.gates)
    return f"verdict: whole, and {passed} of {passed} gates pass{warnings}"


def _facts(report: "Report") -> tuple[tuple[str, str], ...]:
    dataset, kept = report.subject.dataset, report.subject.provenance
    facts = [
        ("folder", str(dataset.location)),
        ("fingerprint", dataset.fingerprint),
        ("resolution", f"{report.size} px"),
        ("guesses", f"learned on {report.subject.train}, scored on {report.subject.tested}"),
    ]
    if kept is not None:
        knobs = {k: v for k, v in kept["knobs"].items() if k != "splits"}
        words = ", ".join(f"{name} {_shown(value)}" for name, value in knobs.items())
        facts += [("generator", f"version {kept['generator_version']}"), ("knobs", words)]
    return tuple(facts)


def _shown(value: Any) -> str:  # noqa: ANN401 - a value of synth.json
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _sizes(report: "Report") -> list[CardTable]:
    rows = tuple(
        (name, f"{report.images[name]:,}", f"{size.refs:,}", f"{size.expressions:,}")
        for name, size in report.sizes.items()
    )
    head = ("split", "images", "refs", "expressions")
    return [CardTable(title="Sizes", head=head, rows=rows)] if rows else []


def _gates(report: "Report") -> list[CardTable]:
    if not report.gates:
        return []
    judged = any(gate.limit for gate in report.gates)
    note = (
        ""
        if judged and report.subject.provenance
        else ("Limits are for generated data: of real ones these numbers are shown, not judged.")
    )
    fixes = [f"{gate.name}: {gate.fix}" for gate in report.gates if gate.state == "fail"]
    chance = (
        "± is one standard error over images; a value beyond its limit by less than two passes,"
        " since that may be chance."
    )
    return [
        CardTable(
            title="Gates",
            head=("guess", "metric", "value", "limit", "state", "what it sees or says"),
            rows=tuple(_row(gate) for gate in report.gates),
            left=(1, 4, 5),
            note="\n".join([*fixes, *([note] if note else []), chance]),
        )
    ]


def _row(gate: "Gate") -> tuple[str, ...]:
    bound = gate.limit
    if gate.metric in _PERCENT and bound:
        sign, _, number = bound.partition(" ")
        bound = f"{sign} {100 * float(number):.1f}"
    return (gate.name, gate.metric, _value(gate), bound, gate.state, gate.meaning)


def _value(gate: "Gate") -> str:
    if gate.value is None:
        return "-"
    if gate.metric in _PERCENT:
        spread = f" ±{100 * gate.error:.1f}" if gate.error else ""
        return f"{100 * gate.value:.1f}{spread}"
    return f"{gate.value:,.0f}" if gate.metric == "count" else f"{gate.value:.3g}"
