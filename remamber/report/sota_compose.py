"""From the comparison with published systems to a document and its results file."""

from dataclasses import replace
from typing import Any

from remamber.plan.protocols import PROTOCOLS, find_protocol
from remamber.record.schema import Record
from remamber.report import format as fmt
from remamber.report.compose import compose
from remamber.report.data import results_json, run_line
from remamber.report.document import Document, Section
from remamber.report.sota_notes import beside_printed, sota_notes
from remamber.table.model import Table
from remamber.table.sota import SotaResults
from remamber.table.sota_layout import protocols_table, published_groups, published_table

SYNTHETIC = (
    "Synthetic data, toy scale. The published rows are about other data and full-size models: none"
    " of their numbers compares with one of the study's."
)


def compose_sota(sota: SotaResults) -> Document:
    """Write the report, in no form yet: the study's own comparison, then the published rows."""
    base = compose(sota.results)
    first, *others = base.tables
    own = protocols_table(sota)
    return replace(
        base,
        banner=SYNTHETIC if sota.synthetic else base.banner,
        verdict=" ".join(filter(None, (base.verdict, beside_printed(sota)))),
        tables=(first, *([own] if own else []), *_published(sota), *others),
        notes=(*sota_notes(sota), *base.notes),
        provenance=(*base.provenance, *_provenance(sota)),
    )


def sota_json(sota: SotaResults, document: Document) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering."""
    return {
        **results_json(sota.results, document),
        "evaluations": [run_line(record) for record in sota.evaluations],
        "published": [
            {
                "variant": row.variant,
                "metric": row.metric,
                "protocol": row.protocol or None,
                "standing": row.standing,
                "source": row.source,
                "note": row.note or None,
            }
            for row in sota.published
        ],
    }


def _published(sota: SotaResults) -> list[Table]:
    return [published_table(sota, group) for group in published_groups(sota)]


def _provenance(sota: SotaResults) -> tuple[Section, ...]:
    """The evaluations, all protocols, and where the published numbers are from."""
    records = [*(r for part in sota.results for r in part.records), *sota.evaluations]
    used = [p for p in PROTOCOLS if any(p in r.spec.evaluate.protocols for r in records)]
    paper = sota.results[0].analysis.paper
    sections = (
        Section(
            title="Evaluations", lines=tuple((r.run_id, _evaluation(r)) for r in sota.evaluations)
        ),
        Section(title="Protocols", lines=tuple((p, _protocol(p)) for p in used)),
        Section(
            title="Published numbers",
            lines=(
                (paper, f"analysis/{sota.view.published}"),
                ("metric of every row", f"analysis/{sota.view.audit}"),
                ("both metrics", f"analysis/{sota.view.both}"),
                *((row.variant, f"{row.metric}: {row.source}") for row in sota.published),
            ),
        ),
    )
    return tuple(section for section in sections if section.lines)


def _evaluation(record: Record) -> str:
    return f"spec {record.digest[:16]}, {fmt.seconds(record.wall_s)}, finished {record.finished}"


def _protocol(name: str) -> str:
    protocol = find_protocol(name)
    return f"{protocol.summary} ({protocol.source})"
