"""A gallery's rows as one PNG: every tile under its label, the expression above them."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from remamber.record.files import write_whole
from remamber.report.gallery import Exhibit, Gallery, Tile

MAX_BYTES = 1_400_000
"""A sheet that would be larger gets fewer colours, then fewer pixels."""

_SIDE, _GAP, _MARGIN = 176, 10, 14
_TITLE, _CAPTION = 15, 13
_INK, _SOFT, _PAPER = (20, 20, 20), (90, 90, 90), (255, 255, 255)
_COLOURS = 256
_SHRINK = 0.8


def write_sheets(galleries: Sequence[Gallery], folder: Path) -> dict[str, Path]:
    """One PNG for each rule of each gallery: ``<gallery>-<rule>`` -> its path.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    written = {}
    for gallery in galleries:
        for rule in gallery.rules:
            name = sheet_name(gallery, rule)
            written[name] = folder / f"{name}.png"
            write_whole(written[name], contact_sheet(gallery.of_rule(rule)))
    return written


def sheet_name(gallery: Gallery, rule: str) -> str:
    """What the sheet of a rule is called."""
    return f"{gallery.slug}-{rule}"


def contact_sheet(exhibits: Sequence[Exhibit]) -> bytes:
    """The content of a PNG with a row for each exhibit.

    Args:
        exhibits: at least one.
    """
    rows = [_row(exhibit) for exhibit in exhibits]
    width = max(row.width for row in rows) + 2 * _MARGIN
    height = sum(row.height for row in rows) + _GAP * (len(rows) - 1) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    top = _MARGIN
    for row in rows:
        sheet.paste(row, (_MARGIN, top))
        top += row.height + _GAP
    return _bounded(sheet)


def _row(exhibit: Exhibit) -> Image.Image:
    title, caption = (ImageFont.load_default(size=s) for s in (_TITLE, _CAPTION))
    width = len(exhibit.tiles) * (_SIDE + _GAP) - _GAP
    lines = _wrapped(exhibit.title, title, width)
    words = [_words(tile, caption) for tile in exhibit.tiles]
    above = len(lines) * (_TITLE + 5) + 4
    below = max(map(len, words)) * (_CAPTION + 4) + 6
    row = Image.new("RGB", (width, above + _drawn_height(exhibit) + below), _PAPER)
    draw = ImageDraw.Draw(row)
    draw.multiline_text((0, 0), "\n".join(lines), fill=_INK, font=title, spacing=5)
    for number, (tile, said) in enumerate(zip(exhibit.tiles, words, strict=True)):
        left = number * (_SIDE + _GAP)
        row.paste(_picture(exhibit, tile), (left, above))
        place = (left, above + _drawn_height(exhibit) + 3)
        draw.multiline_text(place, "\n".join(said), fill=_SOFT, font=caption, spacing=4)
    return row


def _picture(exhibit: Exhibit, tile: Tile) -> Image.Image:
    """A tile at the sheet's size; small images keep their pixels visible."""
    size = (exhibit.width, exhibit.height)
    with Image.open(io.BytesIO(exhibit.image)) as stored:
        coarse = stored.width < exhibit.width
        how = Image.Resampling.NEAREST if coarse else Image.Resampling.LANCZOS
        picture = stored.convert("RGB").resize(size, how)
    if tile.overlay is not None:
        with Image.open(io.BytesIO(tile.overlay)) as mask:
            layer = mask.convert("RGBA")
        picture.paste(layer, (0, 0), layer)
    return picture.resize(_drawn_size(exhibit), Image.Resampling.LANCZOS)


def _drawn_size(exhibit: Exhibit) -> tuple[int, int]:
    scale = _SIDE / max(exhibit.width, exhibit.height)
    return max(1, round(exhibit.width * scale)), max(1, round(exhibit.height * scale))


def _drawn_height(exhibit: Exhibit) -> int:
    return _drawn_size(exhibit)[1]


def _words(tile: Tile, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    return [
        line for text in (tile.label, tile.caption) if text for line in _wrapped(text, font, _SIDE)
    ]


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    letters = max(8, int(width / max(1.0, font.getlength("n"))))
    return textwrap.wrap(text, letters) or [""]


def _bounded(sheet: Image.Image) -> bytes:
    content = _png(sheet)
    while len(content) > MAX_BYTES:
        content = _png(sheet.quantize(_COLOURS))
        smaller = (int(sheet.width * _SHRINK), int(sheet.height * _SHRINK))
        sheet = sheet.resize(smaller, Image.Resampling.LANCZOS)
    return content


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()
