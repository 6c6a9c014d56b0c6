"""A gallery before it has a form: images with masks laid over them, to be looked at in rows."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of a row: the image with a mask laid over it, or without.

    Attributes:
        label: whose mask it is.
        caption: what was measured, empty if nothing.
        overlay: a PNG with transparency of the gallery's side, None for the image itself.
    """

    label: str
    caption: str = ""
    overlay: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One row: an image, the expression said of it, and its tiles.

    Attributes:
        title: the expression.
        note: ids and whatever else tells it from others.
        rule: the key of the rule that chose it, empty where nothing did.
        slices: what divides the rows -> the part that this one is in.
        image: content of a PNG or JPEG file.
        is_coarse: whether the image is so small that its pixels are to be seen.
        width: of a tile, pixels; its longer side is the gallery's.
        height: of a tile, pixels.
        tiles: the first is the image itself.
    """

    title: str
    note: str = ""
    rule: str = ""
    slices: dict[str, str] = field(default_factory=dict)
    image: bytes = field(repr=False)
    is_coarse: bool = False
    width: int
    height: int
    tiles: tuple[Tile, ...]

    @property
    def media_type(self) -> str:
        """Of the image's file."""
        return "image/png" if self.image.startswith(b"\x89PNG") else "image/jpeg"

    @property
    def alt(self) -> str:
        """The row in words."""
        said = [f"{tile.label} {tile.caption}".strip() for tile in self.tiles[1:]]
        return f"{self.title}: {', '.join(said)}"


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Rows of pictures under one heading.

    Attributes:
        slug: names its place in the page and its files.
        title: its heading.
        words: how the rows were chosen and how to read a tile.
        rules: key -> words, of every rule that chose a row.
        slicings: what divides the rows -> its parts in order.
        exhibits: the rows, rule by rule.
    """

    slug: str
    title: str
    words: str
    rules: dict[str, str]
    slicings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    exhibits: tuple[Exhibit, ...]

    @property
    def dividing(self) -> dict[str, tuple[str, ...]]:
        """The slicings with those of their parts that have rows, if there are at least two."""
        found = {
            title: tuple(part for part in parts if self.of_slice(title, part))
            for title, parts in self.slicings.items()
        }
        return {title: parts for title, parts in found.items() if len(parts) > 1}

    def of_slice(self, title: str, part: str) -> tuple[Exhibit, ...]:
        """The rows in one part of what divides them."""
        return tuple(e for e in self.exhibits if e.slices.get(title) == part)

    def of_rule(self, rule: str) -> tuple[Exhibit, ...]:
        """The rows that a rule chose."""
        return tuple(e for e in self.exhibits if e.rule == rule)
