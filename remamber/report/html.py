"""A document as one HTML page that works from a USB stick: no request leaves it."""

import json
from collections.abc import Mapping
from typing import Any

from remamber.report.cells import full_heading, groups, heading, unit_line, words
from remamber.report.document import Document, Picture
from remamber.report.gallery_page import gallery_parts
from remamber.report.page import asset, filled
from remamber.table.model import Cell, Column, Table

_CONFIG = {"showSendToCloud": False, "displaylogo": False, "responsive": True}
"""plotly.js 4 offers by default to send a figure to a server; a report must not."""


_TITLE_ROOM, _BAR_ROOM = 20, 28
"""Pixels of a figure's own title, which the page says in a heading instead, and of the buttons that
lie over a figure's upper edge."""


def html(document: Document, *, plotly_src: str | None) -> str:
    """Render a document.

    Args:
        document: what to render.
        plotly_src: path of plotly.js relative to the page; None puts it into the page, if there is
            a figure to draw.
    """
    # Imported here: only a page pays for plotly.
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    return filled(
        "report.html.j2",
        document=document,
        pages=[f.removesuffix(".html") for f in document.reports if f.endswith(".html")],
        tables=[part for table in document.tables for part in _tables(table)],
        notes_after=len(document.tables[0].by_dataset()),
        galleries=[gallery_parts(gallery) for gallery in document.galleries],
        pictures=[_picture(picture) for picture in document.pictures],
        templates=Markup(_json(_plotly_templates())),
        plotly_src=plotly_src,
        plotly_inline=Markup(get_plotlyjs() if document.pictures and plotly_src is None else ""),
        style=Markup(asset("report.css") + _gallery_style(document)),
        script=Markup(asset("report.js")),
    )


def _gallery_style(document: Document) -> str:
    return asset("gallery.css") if document.galleries else ""


def _tables(table: Table) -> list[dict[str, Any]]:
    """The table, or one for each of its data sets, under names that the page can link to."""
    parts = table.by_dataset()
    if len(parts) == 1:
        return [_table(table, name=table.name)]
    return [_table(p, name=f"{table.name}-{number}") for number, p in enumerate(parts, start=1)]


def _table(table: Table, *, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "chapter": table.chapter,
        "note": table.note,
        "title": table.title,
        "unit": unit_line(table),
        "head": table.head,
        "groups": groups(table) if any(c.group for c in table.columns) else [],
        "columns": [
            {"heading": heading(column), "full": full_heading(column)} for column in table.columns
        ],
        "rows": [
            {
                "label": row.label,
                "cells": [_cell(c, x) for c, x in zip(table.columns, row.cells, strict=True)],
            }
            for row in table.rows
        ],
    }


def _cell(column: Column, cell: Cell) -> dict[str, Any]:
    kinds = {
        "best": cell.best,
        "tied": cell.dagger,
        "few": cell.few,
        "missing": cell.status != "ok",
    }
    return {
        "words": words(column, cell),
        "kind": " ".join(name for name, is_so in kinds.items() if is_so),
        "best": cell.best,
        "number": "" if cell.value is None else repr(cell.value),
    }


def _picture(picture: Picture) -> dict[str, Any]:
    from markupsafe import Markup

    layout = {k: v for k, v in picture.plotly["layout"].items() if k not in ("template", "title")}
    layout |= _untitled(layout)
    meta = layout["meta"]
    if "narrow" in meta:
        layout["meta"] = {**meta, "narrow": meta["narrow"] | _untitled(meta["narrow"])}
    figure = {"data": picture.plotly["data"], "layout": layout, "config": _CONFIG}
    return {
        "slug": picture.slug,
        "title": picture.title,
        "alt": picture.alt,
        "height": layout["height"],
        "json": Markup(_json(figure)),
    }


def _untitled(layout: Mapping[str, Any]) -> dict[str, Any]:
    """The margins without room for the title, where the layout has any."""
    margin = layout.get("margin")
    if not margin:
        return {}
    return {"margin": {**margin, "t": max(_BAR_ROOM, margin.get("t", 0) - _TITLE_ROOM)}}


def _plotly_templates() -> Mapping[str, Any]:
    from remamber.figures._style import template

    return {
        name: template(dark=dark).to_plotly_json()
        for name, dark in (("light", False), ("dark", True))
    }


def _json(content: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(content, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
