"""From records to a report: terminal, Markdown, HTML, CSV and JSON of one study."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remamber.errors import UserError
from remamber.plan.question import Question
from remamber.plan.study import StudyRuns
from remamber.record.files import write_whole

if TYPE_CHECKING:
    from remamber.report.document import Document
    from remamber.table.source import RecordSource

FORMATS = ("md", "html", "csv", "json")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A report that was written.

    Attributes:
        paths: format -> the file; ``figures`` -> the folder of the PNGs, if any were made.
        results: the content of ``results.json``, whether it was written or not.
        document: what the terminal shows.
    """

    paths: dict[str, Path]
    results: dict[str, Any]
    document: "Document"

    def terminal(self, color: bool, width: int, *, slices: bool = False) -> str:
        """The report for a terminal of ``width`` columns, with escape codes if ``color``.

        Its tables of slices are only there with ``slices``.
        """
        from remamber.report.terminal import terminal

        return terminal(self.document, color=color, width=width, slices=slices)


def render_study(
    analysis: Question,
    runs: StudyRuns,
    *,
    store: "RecordSource",
    out: Path,
    formats: tuple[str, ...] = FORMATS,
    single_file: bool = False,
) -> Rendered:
    """Write the report of a study's runs; a pure function of the records, run as often as liked.

    Args:
        analysis: what to ask of the records.
        runs: which runs belong to the study.
        store: where records and counts are.
        out: folder of the reports; the runs' ``report`` names the files.
        formats: any of ``FORMATS``.
        single_file: put plotly.js into the HTML page instead of beside it.

    Raises:
        UserError: unknown format, damaged counts, rows scored on different expressions, or the
            folder cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(
            f"unknown report format '{unknown[0]}'",
            where=[f"known  {', '.join(FORMATS)}"],
            fix=[f"--format {','.join(FORMATS)}"],
            slug="unknown_format",
        )
    from remamber.report.composed import composed

    document, content = composed(analysis, runs, store)
    return render_document(document, content, out=out, formats=formats, single_file=single_file)


def render_document(
    document: "Document",
    content: dict[str, Any],
    *,
    out: Path,
    formats: tuple[str, ...] = FORMATS,
    single_file: bool = False,
) -> Rendered:
    """Write a document that is composed already.

    Args:
        document: what is shown.
        content: of ``results.json``.
        out: folder of the reports; the document's stem names the files.
        formats: any of ``FORMATS``.
        single_file: put plotly.js into the HTML page instead of beside it.

    Raises:
        UserError: the folder cannot be written.
    """
    paths = _write(document, content, out=out, formats=formats, single_file=single_file)
    return Rendered(paths=paths, results=json.loads(json.dumps(content)), document=document)


def _write(
    document: "Document",
    content: dict[str, Any],
    *,
    out: Path,
    formats: tuple[str, ...],
    single_file: bool,
) -> dict[str, Path]:
    from remamber.report.data import csv_text, json_text

    folder = out / document.stem
    paths: dict[str, Path] = {}
    if "json" in formats:
        paths["json"] = folder / "results.json"
        write_whole(paths["json"], json_text(content))
    if "csv" in formats:
        paths["csv"] = folder / "table.csv"
        write_whole(paths["csv"], csv_text(document))
    if "html" in formats:
        paths["html"] = out / f"{document.stem}.html"
        _write_html(document, paths["html"], single_file=single_file)
    if "md" in formats:
        paths["md"] = out / f"{document.stem}.md"
        figures = _write_markdown(document, paths["md"], page=paths.get("html"))
        if figures is not None:
            paths["figures"] = figures
    return paths


def _write_html(document: "Document", path: Path, *, single_file: bool) -> None:
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    from remamber.report.html import html

    source = None
    if document.pictures and not single_file:
        source = f"assets/plotly-{get_plotlyjs_version()}.min.js"
        script = path.parent / source
        content = get_plotlyjs().encode()
        if not script.is_file() or script.stat().st_size != len(content):
            write_whole(script, content)
    write_whole(path, html(document, plotly_src=source))


def _write_markdown(document: "Document", path: Path, *, page: Path | None) -> Path | None:
    from remamber.report.contact_sheet import write_sheets
    from remamber.report.markdown import markdown
    from remamber.report.pictures import write_pictures

    folder = path.parent / document.stem / "figs"
    made = {
        **write_pictures(document.pictures, folder),
        **write_sheets(document.galleries, folder),
    }
    text = markdown(
        document,
        pictures={slug: p.relative_to(path.parent).as_posix() for slug, p in made.items()},
        page=os.path.relpath(page, path.parent) if page is not None else None,
    )
    write_whole(path, text)
    return folder if made else None
