"""A document as Markdown that GitHub renders: tables, pictures by relative path, provenance."""

from collections.abc import Mapping
from itertools import chain, groupby

from remamber.report.cells import full_heading, unit_line, words
from remamber.report.contact_sheet import sheet_name
from remamber.report.document import Document, Picture, Section
from remamber.report.gallery import Gallery
from remamber.table.model import Cell, Column, Table

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]|#~"} | {"<": "&lt;", ">": "&gt;"})


def markdown(document: Document, *, pictures: Mapping[str, str], page: str | None) -> str:
    """Render a document.

    Args:
        document: what to render.
        pictures: picture slug, or name of a gallery's sheet -> path of its PNG, relative to the
            Markdown file.
        page: path of the HTML report, relative to the Markdown file; None if there is none.
    """
    parts = [
        f"# {escape(document.title)} ({escape(document.paper)})",
        f"*{escape(document.question)}*",
        f"**{escape(document.verdict)}**",
    ]
    if document.banner:
        parts.append(f"> **{escape(document.banner)}**")
    parts += [escape(document.condition), _reports(document.reports)]
    first, *others = document.tables
    parts += chain.from_iterable(_gallery(g, pictures) for g in document.galleries)
    for table in first.by_dataset():
        if table.title != document.title:
            parts.append(_title(table))
        parts.append(_table(table))
    parts.append(_bullets(document.notes))
    for chapter, tables in groupby(others, key=lambda table: table.chapter):
        parts += [f"## {escape(chapter)}"] if chapter else []
        for table in (part for other in tables for part in other.by_dataset()):
            parts += [_title(table), _table(table), escape(table.note)]
    parts += chain.from_iterable(_picture(p, pictures, page) for p in document.pictures)
    parts.append("## Provenance")
    parts += [_section(section) for section in document.provenance]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reports(files: tuple[str, ...]) -> str:
    links = [f"[{escape(f.removesuffix('.md'))}]({f})" for f in files if f.endswith(".md")]
    return f"Reports of these runs: {', '.join(links)}" if links else ""


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return " ".join(text.split()).translate(_SPECIAL)


def _title(table: Table) -> str:
    unit = unit_line(table)
    level = "###" if table.chapter else "##"
    return f"{level} {escape(table.title)}{f' ({unit})' if unit else ''}"


def _table(table: Table) -> str:
    header = [table.head, *(full_heading(column) for column in table.columns)]
    lines = [
        _line([escape(text) for text in header]),
        _line([":---", *("---:" for _ in table.columns)]),
    ]
    for row in table.rows:
        cells = [_cell(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)]
        lines.append(_line([escape(row.label), *cells]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: Column, cell: Cell) -> str:
    value, mark, spread, paper = (escape(part) for part in words(column, cell))
    shown = f"**{value}**" if cell.best else value
    return " ".join(part for part in (shown + mark, spread, paper) if part)


def _bullets(notes: tuple[str, ...]) -> str:
    return "\n".join(f"- {escape(note)}" for note in notes)


def _picture(picture: Picture, pictures: Mapping[str, str], page: str | None) -> list[str]:
    alt = escape(picture.alt)
    title = f"## {escape(picture.title)}"
    if picture.slug in pictures:
        return [title, f"![{alt}]({pictures[picture.slug]})"]
    where = f" The figure is in [{escape(page)}]({page}#{picture.slug})." if page else ""
    return [title, f"{alt}{where}"]


def _gallery(gallery: Gallery, pictures: Mapping[str, str]) -> list[str]:
    """A sheet for each rule that chose its rows; their words where the sheet was not written."""
    parts = [f"## {escape(gallery.title)}", escape(gallery.words)]
    for rule, name in gallery.rules.items():
        alt = "; ".join(escape(exhibit.alt) for exhibit in gallery.of_rule(rule))
        sheet = pictures.get(sheet_name(gallery, rule))
        parts += [f"### {escape(name)}", f"![{alt}]({sheet})" if sheet else alt]
    return parts


def _section(section: Section) -> str:
    lines = [f"| {escape(section.title)} | |", "| :--- | :--- |"]
    lines += [_line([escape(name), escape(value)]) for name, value in section.lines]
    return "\n".join(lines)
