"""Where the tiles of a figure of maps stand: a block an expression, on wide and narrow screens."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from remamber.figures import MapRow

PICTURES = 2
"""Tiles before the maps: the image, and the target on it."""
TEXT, MENU, LABEL, FOOT, GAP = 22, 40, 40, 20, 28
"""Heights in pixels: of a line of text, the menu, labels over and under tiles, between blocks."""
_BETWEEN, _APART = 0.05, 0.3
"""Room between two tiles, and between two models', of a tile's side."""
_MOST_SIDE = 160.0
_LETTER = 7.6
"""Width of a letter, pixels; generous, so that text that seems to fit does."""


class Box(NamedTuple):
    """A tile's place, in pixels from the left and from the top of the plotting area."""

    x: float
    y: float
    width: float
    height: float


class Block(NamedTuple):
    """The places of one expression's parts: its text, its menu and its tiles.

    Attributes:
        top: upper edge of the text.
        text: in as many lines as fit the width.
        menu: upper edge of the menu.
        tiles: image, target, then the maps.
        firsts: of each model, and of the pictures, the first tile.
    """

    top: float
    text: str
    menu: float
    tiles: tuple[Box, ...]
    firsts: tuple[int, ...]


class Grid(NamedTuple):
    """All blocks on a plotting area of ``width`` by ``height`` pixels."""

    width: float
    height: float
    blocks: tuple[Block, ...]


def grid(rows: Sequence[MapRow], *, width: float, is_narrow: bool) -> Grid:
    """Lay the expressions out below each other.

    Args:
        rows: the expressions.
        width: of the plotting area, pixels.
        is_narrow: the pictures and each model's maps get a line of their own.
    """
    y, blocks = 0.0, []
    for row in rows:
        lines = textwrap.wrap(row.text, max(10, int(width / _LETTER)))
        menu = y + TEXT * len(lines)
        groups = _groups(row)
        lines_of = [[group] for group in groups] if is_narrow else _lines(groups)
        indent = 0.0 if is_narrow else _units([groups[0]]) + _APART
        tiles, end = _tiles(row, lines_of, width=width, top=menu + MENU, indent=indent)
        firsts = tuple(group[0] for group in groups)
        blocks.append(Block(y, "<br>".join(lines), menu, tiles, firsts))
        y = end + GAP
    return Grid(width, y - GAP, tuple(blocks))


def _groups(row: MapRow) -> list[list[int]]:
    """Tiles that belong together: the pictures, then each model's maps."""
    models = dict.fromkeys(tile.model for tile in row.tiles)
    of_models = [
        [PICTURES + i for i, tile in enumerate(row.tiles) if tile.model == model]
        for model in models
    ]
    return [list(range(PICTURES)), *of_models]


def _lines(groups: Sequence[list[int]]) -> list[list[list[int]]]:
    """The pictures and two models in the first line, two models in each after it."""
    pictures, *models = groups
    pairs = [models[i : i + 2] for i in range(0, len(models), 2)]
    return [[pictures, *pairs[0]], *pairs[1:]]


def _tiles(
    row: MapRow,
    lines: Sequence[Sequence[Sequence[int]]],
    *,
    width: float,
    top: float,
    indent: float,
) -> tuple[tuple[Box, ...], float]:
    """The boxes by tile, and where the last line ends; ``indent`` of lines after the first."""
    rooms = [_units(line) + indent * (number > 0) for number, line in enumerate(lines)]
    side = min(_MOST_SIDE, width / max(rooms))
    scale = side / max(row.size)
    height, tile_width = row.size[0] * scale, row.size[1] * scale
    boxes: dict[int, Box] = {}
    y = top
    for number, line in enumerate(lines):
        x = indent * side * (number > 0)
        for group in line:
            for tile in group:
                boxes[tile] = Box(x, y + LABEL, tile_width, height)
                x += side * (1 + _BETWEEN)
            x += side * (_APART - _BETWEEN)
        y += LABEL + height + FOOT
    return tuple(boxes[tile] for tile in sorted(boxes)), y


def _units(line: Sequence[Sequence[int]]) -> float:
    """Width of a line, in sides of a tile."""
    tiles = sum(map(len, line))
    return tiles + _BETWEEN * (tiles - len(line)) + _APART * (len(line) - 1)
