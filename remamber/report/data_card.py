"""A data card: what a data set holds, what is wrong with it, what it gives away; in three forms."""

import base64
from dataclasses import dataclass

from remamber.report.markdown import escape
from remamber.report.page import asset, filled


@dataclass(frozen=True, kw_only=True)
class CardTable:
    """A table of words: the first column and those in ``left`` are text, the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = ()
    note: str = ""

    def is_text(self, column: int) -> bool:
        """Whether a column is set from the left."""
        return column == 0 or column in self.left


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """A data card before it has a form.

    Attributes:
        title: the data set and its settings.
        verdict: one sentence made from the gates and findings.
        facts: (name, value) lines.
        findings: a severity, a sentence, places and a fix for each thing found.
        tables: sizes, gates and what else was counted.
        sheet_words: what the picture of samples shows, for who does not see it.
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str, tuple[str, ...], str], ...]
    tables: tuple[CardTable, ...]
    sheet_words: str


def card_text(card: DataCard) -> str:
    """For a terminal: facts, findings with their fixes, tables, and the verdict last."""
    widest = max((len(name) for name, _ in card.facts), default=0)
    parts = ["\n".join([card.title, *(f"  {n:<{widest}}  {v}" for n, v in card.facts)])]
    for severity, what, where, fix in card.findings:
        lines = [f"{severity}: {what}", *(f"  {place}" for place in where)]
        parts.append("\n".join([*lines, *([f"  fix  {fix}"] if fix else [])]))
    parts += [_text_table(table) for table in card.tables]
    return "\n\n".join([*parts, card.verdict])


def card_markdown(card: DataCard, *, sheet: str | None) -> str:
    """For GitHub.

    Args:
        card: what to render.
        sheet: path of the picture of samples, relative to the file.
    """
    parts = [f"# {escape(card.title)}", f"**{escape(card.verdict)}**"]
    if sheet is not None:
        parts.append(f"![{escape(card.sheet_words)}]({sheet})")
    parts.append(_markdown_table(("", ""), card.facts, text=(0, 1)))
    for severity, what, where, fix in card.findings:
        places = "".join(f"\n  - {escape(place)}" for place in where)
        mend = f"\n  - fix: {escape(fix)}" if fix else ""
        parts.append(f"- **{escape(severity)}**: {escape(what)}{places}{mend}")
    for table in card.tables:
        text = tuple(i for i in range(len(table.head)) if table.is_text(i))
        parts += [f"## {escape(table.title)}", _markdown_table(table.head, table.rows, text=text)]
        parts += [escape(table.note)] if table.note else []
    return "\n\n".join(parts) + "\n"


def card_html(card: DataCard, *, sheet: bytes | None) -> str:
    """For a browser, one file that needs no other.

    Args:
        card: what to render.
        sheet: the picture of samples, a PNG.
    """
    # Imported here: only a page pays for it.
    from markupsafe import Markup

    return filled(
        "data_card.html.j2",
        card=card,
        sheet=base64.b64encode(sheet).decode("ascii") if sheet is not None else "",
        style=Markup(asset("report.css")),
    )


def _text_table(table: CardTable) -> str:
    rows = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if table.is_text(i) else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([table.title, *lines, *([table.note] if table.note else [])])


def _markdown_table(
    head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], *, text: tuple[int, ...]
) -> str:
    rule = tuple(":---" if i in text else "---:" for i in range(len(head)))
    lines = [tuple(map(escape, head)), rule, *(tuple(map(escape, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
