"""From predicted masks to a document: the gallery, the IoU of what it shows, how it was chosen."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from remamber.plan.look import MaskRule
from remamber.plan.question import MasksAnalysis
from remamber.report import format as fmt
from remamber.report.compose import SYNTHETIC
from remamber.report.data import SCHEMA_VERSION, run_line, table_lines
from remamber.report.document import Document
from remamber.report.gallery import Exhibit, Gallery, Tile
from remamber.report.gallery_image import fitting_image, side_for
from remamber.report.masks_notes import READING, masks_notes, masks_provenance
from remamber.report.overlay import overlay, tile_size
from remamber.report.provenance import condition
from remamber.table.example_choice import rule_words
from remamber.table.masks import Example, MaskResults
from remamber.table.model import Cell, Column, Row, Table

RULE_NAMES: dict[MaskRule, str] = {
    "best": "Best",
    "median": "Median",
    "worst": "Worst",
    "disagreement": "Largest disagreement",
}


def compose_masks(analysis: MasksAnalysis, results: MaskResults) -> Document:
    """Write the report of a study of masks, in no form yet."""
    labels = _labels(analysis, results)
    records = tuple(results.records.values())
    return Document(
        study=results.runs.study,
        stem=results.runs.report or results.runs.study,
        title=analysis.title,
        paper=analysis.paper,
        question=analysis.question,
        verdict=_verdict(results, labels),
        banner=SYNTHETIC if records[0].spec.data.name.startswith("synth") else None,
        condition=condition(records),
        tables=(_rows_table(results, labels), _examples_table(results, labels)),
        notes=masks_notes(results, analysis.masks),
        pictures=(),
        galleries=(_gallery(analysis, results, labels),),
        provenance=masks_provenance(results, labels),
    )


def masks_json(results: MaskResults, document: Document) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": document.study,
        "profile": results.runs.profile,
        "title": document.title,
        "paper": document.paper,
        "question": document.question,
        "verdict": document.verdict,
        "banner": document.banner,
        "condition": document.condition,
        "choice": results.spec.model_dump(mode="json", exclude={"items"}),
        "examples": [_example_line(example) for example in results.examples],
        "agreement": results.agreement._asdict(),
        "tables": {table.name: table_lines(table) for table in document.tables},
        "notes": list(document.notes),
        "runs": [run_line(record) for record in results.records.values()],
        "unrecorded_runs": list(results.unrecorded),
        "provenance": {s.title: dict(s.lines) for s in document.provenance},
    }


def _labels(analysis: MasksAnalysis, results: MaskResults) -> dict[str, str]:
    return {key: analysis.masks.labels.get(key, key) for key in results.records}


def _verdict(results: MaskResults, labels: Mapping[str, str]) -> str:
    """Who is ahead on the whole split; what is pictured shows how, and proves nothing."""
    n = len(results.examples)
    shown = f"the {n} expressions shown were chosen by rule, and prove nothing by themselves"
    if set(results.means) != set(results.records) or len(labels) < 2:
        return f"{shown[0].upper()}{shown[1:]}."
    best = max(results.means, key=lambda key: results.means[key])
    ahead = sum(_leads(example, best) for example in results.examples)
    return (
        f"{labels[best]} has the highest mIoU over all of {results.spec.split},"
        f" {fmt.percent(results.means[best])}, and the highest IoU, alone or with others, in"
        f" {ahead} of the {n} pictures; {shown}."
    )


def _leads(example: Example, key: str) -> bool:
    return example.predicted[key].iou == max(p.iou for p in example.predicted.values())


def _rows_table(results: MaskResults, labels: Mapping[str, str]) -> Table:
    """The mIoU of every row over the split and over what each rule shows."""
    rules = _rules(results)
    split = Column(group="all", label=results.spec.split, unit="fraction", higher_is_better=True)
    shown = [
        Column(group="shown", label=f"{name.lower()} {count}", unit="fraction")
        for name, count in rules.values()
    ]
    return Table(
        name="means",
        title="mIoU of the split and of what is shown",
        head="Weights",
        columns=(split, *shown),
        rows=tuple(
            Row(
                key=key,
                label=label,
                cells=(_mean(results, key), *(_shown_mean(results, key, rule) for rule in rules)),
            )
            for key, label in labels.items()
        ),
    )


def _mean(results: MaskResults, key: str) -> Cell:
    if key not in results.means:
        return Cell(status="not-measured", reason="no counts")
    return Cell(value=results.means[key])


def _shown_mean(results: MaskResults, key: str, rule: str) -> Cell:
    values = [e.predicted[key].iou for e in results.examples if e.rule == rule]
    return Cell(value=float(np.mean(values)), n=len(values))


def _examples_table(results: MaskResults, labels: Mapping[str, str]) -> Table:
    """IoU of every row for every example."""
    columns = [
        Column(group="", label=label, unit="fraction", higher_is_better=True)
        for label in labels.values()
    ]
    return Table(
        name="examples",
        title="IoU of every mask that is shown",
        head="Expression",
        columns=tuple(columns),
        rows=tuple(
            Row(
                key=f"{example.ref_id}-{example.sent_id}",
                label=f"{_rules(results)[example.rule][0]}: {example.text}",
                cells=tuple(Cell(value=example.predicted[key].iou) for key in labels),
            )
            for example in results.examples
        ),
    )


def _rules(results: MaskResults) -> dict[str, tuple[str, int]]:
    """Of every rule that shows something, its name and how many it shows."""
    shown = [example.rule for example in results.examples]
    return {r: (RULE_NAMES[r], shown.count(r)) for r in results.spec.rules if r in shown}


def _gallery(analysis: MasksAnalysis, results: MaskResults, labels: Mapping[str, str]) -> Gallery:
    side = side_for(len(results.examples), tiles=len(labels) + 2)
    return Gallery(
        slug="masks",
        title=f"Predicted masks ({analysis.paper})",
        words=f"{rule_words(results.spec, labels)} {READING}",
        rules={rule: name for rule, (name, _) in _rules(results).items()},
        slicings=results.slicings,
        exhibits=tuple(_exhibit(e, results, labels, side=side) for e in results.examples),
    )


def _exhibit(
    example: Example, results: MaskResults, labels: Mapping[str, str], *, side: int
) -> Exhibit:
    image = fitting_image(example.image, side=side)
    size = tile_size(image.height, image.width, side)
    truth = Tile(label="Ground truth", overlay=overlay(example.target, size=size, colour="green"))
    predicted = [
        Tile(
            label=label,
            caption=f"IoU {fmt.percent(example.predicted[key].iou)}",
            overlay=overlay(
                example.predicted[key].mask, size=size, colour="blue", dashed=example.target
            ),
        )
        for key, label in labels.items()
    ]
    return Exhibit(
        title=f"“{example.text}”",
        note=f"image {example.image_id}, ref {example.ref_id}, sentence {example.sent_id}",
        rule=example.rule,
        slices=example.slices,
        image=image.content,
        is_coarse=2 * image.width <= size[1],
        height=size[0],
        width=size[1],
        tiles=(Tile(label="Image"), truth, *predicted),
    )


def _example_line(example: Example) -> dict[str, Any]:
    return {
        "rule": example.rule,
        "image_id": example.image_id,
        "ref_id": example.ref_id,
        "sent_id": example.sent_id,
        "text": example.text,
        "slices": example.slices,
        "rows": {
            key: {"intersection": p.intersection, "union": p.union, "iou": round(p.iou, 9)}
            for key, p in example.predicted.items()
        },
    }
