"""A gallery as an HTML page holds it: every image once, masks over it, filters without a script."""

import base64
from dataclasses import dataclass
from itertools import product

from remamber.report.gallery import Exhibit, Gallery, Tile


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One choice of a filter: its key, its words and how many rows it shows."""

    key: str
    words: str
    count: int


@dataclass(frozen=True, kw_only=True)
class TilePart:
    """One tile; ``overlay`` is a data URI, empty for the image itself."""

    label: str
    caption: str
    overlay: str


@dataclass(frozen=True, kw_only=True)
class ExhibitPart:
    """One row as the template shows it; ``image`` is a data URI, ``keys`` the choices it meets."""

    name: str
    title: str
    note: str
    rule_words: str
    keys: tuple[str, ...]
    image: str
    coarse: bool
    width: int
    height: int
    tiles: tuple[TilePart, ...]


@dataclass(frozen=True, kw_only=True)
class GalleryPart:
    """A gallery as the template shows it.

    Attributes:
        slug: names its place in the page.
        title: its heading.
        words: how the rows were chosen.
        rules: the choices of the first filter; none where there is only one.
        slices: title -> choices of the second filter, of which one is chosen among all.
        empty: pairs of choices that no row fulfils together.
        exhibits: the rows.
    """

    slug: str
    title: str
    words: str
    rules: tuple[Choice, ...]
    slices: dict[str, tuple[Choice, ...]]
    empty: tuple[tuple[str, str], ...]
    exhibits: tuple[ExhibitPart, ...]


def gallery_parts(gallery: Gallery) -> GalleryPart:
    """What the template needs, computed."""
    keys = {
        (title, part): f"slice-{s}-{p}"
        for s, (title, parts) in enumerate(gallery.dividing.items())
        for p, part in enumerate(parts)
    }
    rules = _rule_choices(gallery)
    slices = {
        title: tuple(
            Choice(key=keys[title, part], words=part, count=len(gallery.of_slice(title, part)))
            for part in parts
        )
        for title, parts in gallery.dividing.items()
    }
    exhibits = tuple(_exhibit(gallery, e, n, keys) for n, e in enumerate(gallery.exhibits))
    every = [choice for choices in slices.values() for choice in choices]
    return GalleryPart(
        slug=gallery.slug,
        title=gallery.title,
        words=gallery.words,
        rules=rules if len(rules) > 1 else (),
        slices=slices,
        empty=tuple(
            (rule.key, choice.key)
            for rule, choice in product(rules, every)
            if not any({rule.key, choice.key} <= set(e.keys) for e in exhibits)
        ),
        exhibits=exhibits,
    )


def data_uri(content: bytes, media_type: str) -> str:
    """A file's content as an address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _rule_choices(gallery: Gallery) -> tuple[Choice, ...]:
    return tuple(
        Choice(key=_rule_key(rule), words=words, count=len(gallery.of_rule(rule)))
        for rule, words in gallery.rules.items()
    )


def _rule_key(rule: str) -> str:
    return f"rule-{rule}"


def _exhibit(
    gallery: Gallery, exhibit: Exhibit, number: int, keys: dict[tuple[str, str], str]
) -> ExhibitPart:
    rule = (_rule_key(exhibit.rule),) if exhibit.rule else ()
    return ExhibitPart(
        name=f"{gallery.slug}-{number}",
        title=exhibit.title,
        note=exhibit.note,
        rule_words=gallery.rules.get(exhibit.rule, ""),
        keys=(*rule, *(keys[pair] for pair in exhibit.slices.items() if pair in keys)),
        image=data_uri(exhibit.image, exhibit.media_type),
        coarse=exhibit.is_coarse,
        width=exhibit.width,
        height=exhibit.height,
        tiles=tuple(map(_tile, exhibit.tiles)),
    )


def _tile(tile: Tile) -> TilePart:
    uri = data_uri(tile.overlay, "image/png") if tile.overlay is not None else ""
    return TilePart(label=tile.label, caption=tile.caption, overlay=uri)
