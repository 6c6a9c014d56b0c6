"""From the maps of trained models to a document, its figures and its results file (Fig. 4)."""

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remamber.figures import Estimate, FigureData, MapRow, MapTile, Series, draw
from remamber.plan.question import AttentionAnalysis, FigureView
from remamber.plan.study import StudyRuns
from remamber.report import format as fmt
from remamber.report.attention_notes import (
    attention_condition,
    attention_notes,
    attention_provenance,
)
from remamber.report.attention_verdict import attention_verdict
from remamber.report.compose import SYNTHETIC
from remamber.report.data import SCHEMA_VERSION, run_line, table_lines
from remamber.report.document import Document, Picture
from remamber.report.gallery_image import fitting_image
from remamber.report.overlay import overlay, tile_size
from remamber.table.attention import AttentionResults, Variant, build_attention
from remamber.table.attention_layout import HALF, TITLES, attention_tables
from remamber.table.maps import AMONG_AREA, AREA, SCORES, Maps, Shown
from remamber.table.source import RecordSource

_SIDE, _LEAST_SIDE, _FEW = 240, 96, 4
"""Longer side of a pictured image, pixels, of few pictures and of any number."""
_MOST_MAPS = 1600
"""More maps would make the page heavy: words are then not pictured by themselves."""
_TOO_MANY = "The maps of single words are left out: there are too many for one figure."
_CHANCE = {"among": ("chance: share of area", AMONG_AREA), "rank": ("chance", "")}


def compose_attention(
    analysis: AttentionAnalysis, runs: StudyRuns, source: RecordSource
) -> tuple[Document, dict[str, Any]]:
    """Write the report of a study of maps, in no form yet, and its results file.

    Raises:
        UserError: no run left maps (exit 3), or the arrays of a record are damaged (exit 6).
    """
    results = build_attention(analysis.attention.labels, runs, source)
    rows = _rows(results)
    heavy = sum(len(row.words) * len(row.tiles) for row in rows) > _MOST_MAPS
    rows = tuple(map(_without_words, rows)) if heavy else rows
    synthetic = any(r.spec.data.name.startswith("synth-") for r in results.records)
    document = Document(
        study=runs.study,
        stem=runs.report or runs.study,
        title=analysis.title,
        paper=analysis.paper,
        question=analysis.question,
        verdict=attention_verdict(results),
        banner=SYNTHETIC if synthetic else None,
        condition=attention_condition(results),
        tables=attention_tables(results),
        notes=(*attention_notes(results), *([_TOO_MANY] if heavy else [])),
        pictures=tuple(
            _picture(results, view, number, rows)
            for number, view in enumerate(analysis.figure, start=1)
        ),
        provenance=attention_provenance(results),
    )
    return document, _json(results, document)


def _json(results: AttentionResults, document: Document) -> dict[str, Any]:
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
        "choice": results.first.wish.model_dump(mode="json", exclude={"trained"}),
        "pictured": [_shown_line(shown) for shown in results.first.shown],
        "tables": {table.name: table_lines(table) for table in document.for_machines()},
        "notes": list(document.notes),
        "runs": [run_line(record) for record in results.records],
        "unrecorded_runs": list(results.unrecorded),
        "provenance": {s.title: dict(s.lines) for s in document.provenance},
    }


def _shown_line(shown: Shown) -> dict[str, Any]:
    ids = {"image_id": shown.image_id, "ref_id": shown.ref_id, "sent_id": shown.sent_id}
    return {**ids, "text": shown.text}


def _picture(
    results: AttentionResults, view: FigureView, number: int, rows: tuple[MapRow, ...]
) -> Picture:
    score = view.metric if view.metric in SCORES else SCORES[0]
    name, chance = _CHANCE.get(score, ("chance: area of the target", AREA))
    told = results.first.told(chance) if chance else HALF
    data = FigureData(
        title=view.title,
        split=results.first.wish.split,
        metric=TITLES[score],
        series=tuple(
            _series(v, label, maps, score) for v in results.variants for label, maps in v.both
        ),
        floors={results.first.wish.split: (name, told.value)} if told is not None else {},
        panels=tuple(map(_depth, results.stages)),
        maps=rows,
        percent=fmt.percent,
    )
    figure = draw(view.kind, data)
    return Picture(
        slug=f"{number}-{view.kind}",
        title=view.title,
        alt=str(figure.layout.meta["alt"]),
        plotly=json.loads(figure.to_json()),
    )


def _depth(stage: int) -> str:
    return f"stage {stage}"


def _series(variant: Variant, name: str, maps: Maps, score: str) -> Series:
    told = {stage: maps.told(score, stage) for stage in maps.stages}
    return Series(
        index=variant.index,
        label=f"{variant.label}, {name}",
        by_map={
            _depth(stage): Estimate(number.value, number.low, number.high)
            for stage, number in told.items()
            if number is not None
        },
        control=name == "untrained",
    )


def _rows(results: AttentionResults) -> tuple[MapRow, ...]:
    """The expressions that all trained models show; of untrained ones where there is no other."""
    trained = [(v.label, v.trained) for v in results.variants if v.trained is not None]
    pairs = trained or [(f"{v.label}, untrained", v.both[0][1]) for v in results.variants]
    by_sentence = [{shown.sent_id: shown for shown in maps.shown} for _, maps in pairs]
    common = [s for s in by_sentence[0] if all(s in own for own in by_sentence)]
    labels = [label for label, _ in pairs]
    side = max(_LEAST_SIDE, int(_SIDE * min(1.0, _FEW / max(1, len(common))) ** 0.5))
    return tuple(
        _row(labels, [own[sentence] for own in by_sentence], side=side) for sentence in common
    )


def _without_words(row: MapRow) -> MapRow:
    tiles = (t._replace(density=t.density[:1], energy=t.energy[:1]) for t in row.tiles)
    return row._replace(words=row.words[:1], tiles=tuple(tiles))


def _row(labels: Sequence[str], shown: Sequence[Shown], *, side: int) -> MapRow:
    """One expression; the words by themselves where all models see the same ones."""
    first = shown[0]
    same = all(one.words == first.words for one in shown)
    words = first.words if same else first.words[:1]
    image = fitting_image(first.image, side=side)
    height, width = first.target.shape
    size = tile_size(height, width, side)
    return MapRow(
        text=first.text,
        size=size,
        image=_uri(image.content),
        target=_uri(_marked(image.content, first.target, size=size)),
        words=words,
        tiles=tuple(
            MapTile(
                model=label,
                depth=_depth(stage),
                density=density[: len(words)],
                energy=tuple(one.energy[stage][: len(words)].tolist()),
            )
            for label, one in zip(labels, shown, strict=True)
            for stage, density in one.density.items()
        ),
    )


def _marked(image: bytes, target: NDArray[np.bool_], *, size: tuple[int, int]) -> bytes:
    """The image with the target on it, at that height and width."""
    mark = Image.open(io.BytesIO(overlay(target, size=size, colour="green"))).convert("RGBA")
    shown = Image.open(io.BytesIO(image)).convert("RGBA")
    # A thumbnail's pixels are to be seen, not smoothed away.
    way = Image.Resampling.NEAREST if shown.width < mark.width else Image.Resampling.LANCZOS
    stream = io.BytesIO()
    marked = Image.alpha_composite(shown.resize(mark.size, way), mark).convert("RGB")
    marked.save(stream, "JPEG", quality=88, optimize=True)
    return stream.getvalue()


def _uri(content: bytes) -> str:
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
