"""A report before it has a form: what every renderer is given and none may change."""

from dataclasses import dataclass, field
from typing import Any

from remamber.report.gallery import Gallery
from remamber.table.model import Table


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawn figure: its entry on the shelf, its words, and plotly's description of it."""

    slug: str
    title: str
    alt: str
    plotly: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading of the provenance over (name, value) lines."""

    title: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """One report.

    Attributes:
        study: stem of the study.
        stem: names every file: the study's, and what sets its data and scale apart.
        title: what was asked, as a title.
        paper: the paper's table or figure, such as ``Tab. 3``.
        question: the question in words.
        verdict: one sentence made from the data.
        banner: what a reader must know before any number, None if nothing.
        condition: data, size, steps, seeds, device in one line.
        tables: results first.
        notes: sentences under the results.
        pictures: figures in the order of the analysis.
        galleries: pictures that are photographs with masks, shown before the tables.
        provenance: everything needed to trace and repeat the numbers.
        reports: files beside this one, of the reports that it rests on.
        data: tables for files that machines read, in the place of the shown ones of their name.
    """

    study: str
    stem: str
    title: str
    paper: str
    question: str
    verdict: str
    banner: str | None
    condition: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    provenance: tuple[Section, ...]
    galleries: tuple[Gallery, ...] = ()
    data: tuple[Table, ...] = ()
    reports: tuple[str, ...] = ()

    def for_machines(self) -> tuple[Table, ...]:
        """The tables as results files hold them."""
        instead = {table.name for table in self.data}
        return (*(table for table in self.tables if table.name not in instead), *self.data)
