"""What is known of the real data sets: their files, where they are to be had, on what terms."""

import functools
import tomllib
from importlib.resources import files
from typing import NamedTuple

_PLAIN = ("title", "split_by", "direct", "paper", "archive", "size", "also", "terms")


class Pictures(NamedTuple):
    """The photographs of a data set, which come apart from its expressions."""

    what: str
    file: str
    size: str
    sources: tuple[str, ...]
    folder: str
    also: str
    terms: str


class Origin(NamedTuple):
    """A data set as published.

    Attributes:
        name: on the command line.
        title: what it is.
        split_by: whose splits are used by default.
        direct: whether it can be used as published, without conversion.
        pictures: its photographs.
        paper: who published it.
        archive: what is to be fetched.
        size: of that, as far as it is known.
        sources: addresses of the published files, or of copies of them.
        mirrors: other shapes of the same data.
        files: what has to lie in its folder under the data root.
        also: what else may lie there, or is to be minded.
        terms: its licence, as far as it is known.
    """

    name: str
    title: str
    split_by: str
    direct: bool
    pictures: Pictures
    paper: str
    archive: str
    size: str
    sources: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: tuple[str, ...]
    also: str
    terms: str


@functools.cache
def origins() -> dict[str, Origin]:
    """Every real data set by its name."""
    text = files("remamber.datasets").joinpath("origins.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    pictures = {
        name: Pictures(**{k: v for k, v in row.items() if k != "from"}, sources=tuple(row["from"]))
        for name, row in table["images"].items()
    }
    return {
        name: Origin(
            name=name,
            pictures=pictures[row["images"]],
            sources=tuple(row["from"]),
            mirrors=tuple(row["mirrors"]),
            files=tuple(row["files"]),
            **{k: row[k] for k in _PLAIN},
        )
        for name, row in table["sets"].items()
    }


def how_to_get(name: str) -> list[str]:
    """Lines of advice for an error that says that a data set is missing."""
    origin = origins()[name]
    return [
        "remamber-bench ablate scans --data synth-refcoco    (built-in, no download)",
        f"remamber-bench data list --explain {name}    (what to fetch, and where it goes)",
        f"or unpack into the data root  {origin.sources[0]}",
        f"and  {origin.pictures.sources[0]}  ({origin.pictures.size})",
    ]
