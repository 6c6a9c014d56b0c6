"""From checked claims to a document and its results file: verdicts, evidence, limits."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from remamber.plan.claims import CostClaim
from remamber.report import format as fmt
from remamber.report.claims_tables import (
    NOT_CHECKED,
    evidence_tables,
    heading,
    labels_of,
    place_of,
    published_table,
    verdicts_table,
)
from remamber.report.data import SCHEMA_VERSION, run_line, table_lines
from remamber.report.document import Document, Section
from remamber.report.provenance import condition, machine_facts
from remamber.table.all_claims import AnyFinding, CheckedClaim
from remamber.table.claims import Evidence, Finding
from remamber.table.claims_published import BETWEEN_ROWS, WITHIN_IMAGE
from remamber.table.claims_speed import CostEvidence

STEM = "claims"
GENERATED = (
    "Generated data, toy scale: a verdict on a synth- data set is about that data set. It neither"
    " confirms nor contradicts what the paper says of RefCOCO."
)


def compose_claims(
    checked: Sequence[CheckedClaim], *, command: str, reports: tuple[str, ...] = ()
) -> Document:
    """Write the page of claims, in no form yet.

    Args:
        checked: all claims.
        command: what was typed.
        reports: files of the reports that show the same runs.
    """
    findings = [finding for c in checked for finding in c.findings]
    records = _records(checked)
    return Document(
        study=STEM,
        stem=STEM,
        title="The paper's claims",
        paper="Tabs. 1, 3, 4, Fig. 8",
        question="Which of the paper's claims do these records confirm, and which can be decided?",
        verdict=claims_verdict(checked),
        banner=GENERATED if any(_is_synthetic(f) for f in findings) else None,
        condition=f"{len(records)} runs of {len(findings)} conditions",
        tables=(verdicts_table(checked), *evidence_tables(checked), published_table(checked)),
        notes=_notes(checked),
        pictures=(),
        reports=reports,
        provenance=_provenance(checked, command),
    )


def claims_json(checked: Sequence[CheckedClaim], document: Document) -> dict[str, Any]:
    """The whole page as plain data; it holds nothing of the time or place of rendering."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": document.study,
        "title": document.title,
        "verdict": document.verdict,
        "banner": document.banner,
        "claims": [_claim_json(c) for c in checked],
        "tables": {table.name: table_lines(table) for table in document.tables},
        "notes": list(document.notes),
        "runs": [run_line(record) for record in _records(checked)],
        "unrecorded_runs": [],
        "provenance": {s.title: dict(s.lines) for s in document.provenance},
    }


def claims_verdict(checked: Sequence[CheckedClaim]) -> str:
    """One sentence a place where claims were checked, and which were not."""
    places: dict[str, list[str]] = {}
    for c in checked:
        for finding in c.findings:
            generated = " (generated data)" if _is_synthetic(finding) else ""
            said = places.setdefault(f"{place_of(finding)}{generated}", [])
            said.append(f"{c.claim.name} {finding.verdict}")
    sentences = [f"On {place}: {', '.join(said)}." for place, said in places.items()]
    if lost := [c.claim.name for c in checked if not c.findings]:
        sentences.append(f"Not checked for want of records: {fmt.listed(lost)}.")
    return " ".join(sentences)


def _is_synthetic(finding: AnyFinding) -> bool:
    return isinstance(finding, Finding) and finding.synthetic


def _records(checked: Sequence[CheckedClaim]) -> list[Any]:
    return list({record.run_id: record for c in checked for record in c.records}.values())


def _notes(checked: Sequence[CheckedClaim]) -> tuple[str, ...]:
    notes = [
        *_said(checked),
        "Confirmed: every difference that the claim names is above 0 at 5 % (paired t-test over"
        " images, Holm over all differences of the claim under one condition), and over seeds"
        " where there are several. Contradicted: one of them is below 0 in the same sense."
        " Undecided: all else; it does not say that there is no difference.",
        "Times: faster, slower or same by rounds that were timed side by side, Holm over image"
        " sizes; memory: less by more than 2 %. An equal time is against the claim.",
        *_one_seed(checked),
        *(_missing(c) for c in checked if not c.findings),
        *_only_synthetic(checked),
        "Estimated for the paper's tables, which say nothing of single expressions: binomial"
        f" variance, correlation of {WITHIN_IMAGE:g} between expressions on one image and of"
        f" {BETWEEN_ROWS:g} between two rows, 80 % power at 5 %, one seed, no correction for the"
        " number of rows: what a split can detect is rather more than that.",
        *(_of_paper(c) for c in checked if c.margins),
    ]
    return tuple(notes)


def _said(checked: Sequence[CheckedClaim]) -> list[str]:
    """What the claims that were checked are; the others are named with what they lack."""
    found = [heading(c.claim) for c in checked if c.findings]
    return [f"{'; '.join(found)}."] if found else []


def _one_seed(checked: Sequence[CheckedClaim]) -> list[str]:
    names = dict.fromkeys(
        c.claim.name
        for c in checked
        for finding in c.findings
        if isinstance(finding, Finding) and finding.seeds < 2
    )
    if not names:
        return []
    return [
        f"{fmt.listed(list(names))}: 1 seed, so that the verdict is about these trained weights;"
        " training variance is not included, and another seed may change it."
    ]


def _missing(checked: CheckedClaim) -> str:
    how = "speed --study" if isinstance(checked.claim, CostClaim) else "ablate"
    return (
        f"{heading(checked.claim)}: {NOT_CHECKED}, no records; run"
        f" remamber-bench {how} {checked.claim.study}"
    )


def _only_synthetic(checked: Sequence[CheckedClaim]) -> list[str]:
    names = [c.claim.name for c in checked if c.findings and not c.counted]
    if not names:
        return []
    return [
        f"{fmt.listed(names)}: checked on generated data only. For the paper's own data:"
        " remamber-bench ablate all --profile paper --data-root DIR"
    ]


def _of_paper(checked: CheckedClaim) -> str:
    """Whether the margins of the paper's own table are large enough to tell."""
    unclear = [m for m in checked.margins if m.resolved < len(m.detectable)]
    said = f"In the paper's own {checked.claim.paper}, {checked.claim.name}:"
    if not unclear:
        return f"{said} all margins in Pr@50 are at least what the splits are estimated to detect."
    least = min(unclear, key=lambda m: m.mean)
    none = sum(m.resolved == 0 for m in unclear)
    of = len(checked.margins)
    return (
        f"{said} {len(unclear)} of {of} margins in Pr@50 are below what the splits are estimated"
        f" to detect on at least one split, {none} of them on all; the smallest, {least.higher}"
        f" over {least.lower} on {least.dataset}, is {fmt.points(least.mean)} points in the mean,"
        f" ahead in {least.ahead} of {len(least.margins)} columns."
    )


def _provenance(checked: Sequence[CheckedClaim], command: str) -> tuple[Section, ...]:
    records = tuple(_records(checked))
    sections = [
        Section(title="Command", lines=(("command", command),)),
        Section(
            title="Evidence",
            lines=tuple(
                (
                    f"{c.claim.name} on {place_of(finding)}",
                    f"{condition(finding.records)}; report: remamber-bench report {c.claim.study}",
                )
                for c in checked
                for finding in c.findings
                if isinstance(finding, Finding)
            ),
        ),
        Section(
            title="Runs",
            lines=tuple(
                (r.run_id, f"spec {r.digest[:16]}, finished {r.finished}") for r in records
            ),
        ),
        Section(
            title="Machine and software",
            lines=tuple((k, v) for k, v in machine_facts(records).items() if v),
        ),
    ]
    return tuple(section for section in sections if section.lines)


def _claim_json(checked: CheckedClaim) -> dict[str, Any]:
    return {
        "name": checked.claim.name,
        "text": checked.claim.text,
        "paper": checked.claim.paper,
        "confirmed": checked.is_confirmed,
        "verdict": [f.verdict for f in checked.counted] or [NOT_CHECKED],
        "findings": [
            {
                "place": place_of(finding),
                "generated_data": _is_synthetic(finding),
                "verdict": finding.verdict,
                "runs": [record.run_id for record in finding.records],
                "missing": list(getattr(finding, "missing", ())),
                "evidence": [_evidence_json(e) for e in finding.evidence],
            }
            for finding in checked.findings
        ],
        "labels": dict(labels_of(checked.claim)),
        "published": [
            {
                "dataset": margin.dataset,
                "higher": margin.higher,
                "lower": margin.lower,
                "ahead": margin.ahead,
                "columns": len(margin.margins),
                "mean": round(margin.mean, 9),
                "detectable_pr50": {s: round(d, 9) for s, d in margin.detectable.items()},
                "resolved": margin.resolved,
            }
            for margin in checked.margins
        ],
    }


def _evidence_json(evidence: Evidence | CostEvidence) -> dict[str, Any]:
    if isinstance(evidence, Evidence):
        seeds = evidence.seeds._asdict() if evidence.seeds else None
        return {**_rounded(asdict(evidence)), "seeds": seeds, "standing": evidence.standing}
    ratio = evidence.ratio._asdict() if evidence.ratio else None
    return {
        "image_size": evidence.image_size,
        "time": evidence.time,
        "ratio": _rounded(ratio) if ratio else None,
        "memory": evidence.memory,
        "lost": evidence.lost,
        "faster": evidence.is_faster,
        "smaller": evidence.is_smaller,
    }


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.9g}") if isinstance(v, float) else v for k, v in fields.items()}
