"""Interaction and attention maps by depth, expression by expression, word by word (Fig. 4)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from remamber.figures import FigureData, MapRow, MapTile
from remamber.figures._map_grid import PICTURES, Grid, grid
from remamber.figures._map_values import coarser, end_of_scale, finest_side
from remamber.figures._style import empty, finish
from remamber.registry import FIGURES

register = FIGURES.register

_SCALE = "Cividis"
_WIDE, _NARROW = 1060.0, 270.0
"""Width of the plotting area that the tiles are laid out for, pixels."""
_TOP, _BOTTOM, _LEFT, _RIGHT = 56, 12, 4, 66
_NOTE = {"xanchor": "left", "align": "left", "showarrow": False, "borderpad": 0}
_EVEN = 100
"""What a map that is evenly spread has everywhere, as it is drawn."""


class _Place(NamedTuple):
    """A tile of an expression: its number among all tiles names its axes."""

    row: int
    tile: int
    axis: int


@register("maps")
def maps(data: FigureData) -> go.Figure:
    """Image, target and the maps of each model by depth; a list chooses the word."""
    rows = data.maps
    if not rows:
        return empty(data, why="no maps were kept")
    places = _places(rows)
    figure = go.Figure()
    side = finest_side(rows)
    for place in places:
        if place.tile >= PICTURES:
            _add_maps(figure, rows[place.row], place, side=side)
    wide = _layout(rows, places, grid(rows, width=_WIDE, is_narrow=False))
    narrow = _layout(rows, places, grid(rows, width=_NARROW, is_narrow=True))
    figure = finish(figure, data, alt=_alt(rows), height=wide["height"])
    figure.update_layout(
        **wide,
        images=_images(rows, places),
        showlegend=False,
        margin={"l": _LEFT, "r": _RIGHT, "t": _TOP, "b": _BOTTOM},
        meta={**figure.layout.meta, "narrow": narrow},
    )
    return figure


def _places(rows: Sequence[MapRow]) -> list[_Place]:
    pairs = [(r, t) for r, row in enumerate(rows) for t in range(PICTURES + len(row.tiles))]
    return [_Place(row, tile, axis) for axis, (row, tile) in enumerate(pairs, start=1)]


def _name(axis: int) -> str:
    return "" if axis == 1 else str(axis)


def _add_maps(figure: go.Figure, row: MapRow, place: _Place, *, side: int) -> None:
    """One heatmap a word, of which the first is seen."""
    tile = row.tiles[place.tile - PICTURES]
    height, width = row.size
    for number, density in enumerate(tile.density):
        z = np.round(_EVEN * coarser(density, side)).clip(0, 32767).astype(np.int16)
        figure.add_trace(
            go.Heatmap(
                z=z,
                x0=width / z.shape[1] / 2,
                dx=width / z.shape[1],
                y0=height / z.shape[0] / 2,
                dy=height / z.shape[0],
                xaxis=f"x{_name(place.axis)}",
                yaxis=f"y{_name(place.axis)}",
                coloraxis=f"coloraxis{_name(place.row + 1)}",
                visible=number == 0,
                hovertemplate=f"%{{z}} % of even<extra>{_hover(row, tile, number)}</extra>",
            )
        )


def _hover(row: MapRow, tile: MapTile, word: int) -> str:
    return f"{tile.model}, {tile.depth}: {_word(row, word)}"


def _word(row: MapRow, number: int) -> str:
    return "all tokens" if number == 0 else f"“{row.words[number]}”"


def _layout(rows: Sequence[MapRow], places: Sequence[_Place], laid: Grid) -> dict[str, Any]:
    height = laid.height
    layout: dict[str, Any] = {"height": round(_TOP + height + _BOTTOM)}
    for place in places:
        box = laid.blocks[place.row].tiles[place.tile]
        rows_high, columns_wide = rows[place.row].size
        axis = {"visible": False, "fixedrange": True, "showgrid": False, "zeroline": False}
        layout[f"xaxis{_name(place.axis)}"] = {
            **axis,
            "domain": [box.x / laid.width, min(1.0, (box.x + box.width) / laid.width)],
            "range": [0, columns_wide],
            "anchor": f"y{_name(place.axis)}",
        }
        layout[f"yaxis{_name(place.axis)}"] = {
            **axis,
            "domain": [max(0.0, 1 - (box.y + box.height) / height), 1 - box.y / height],
            "range": [rows_high, 0],
            "anchor": f"x{_name(place.axis)}",
            "scaleanchor": f"x{_name(place.axis)}",
            "constrain": "domain",
            "constraintoward": "top",
        }
        layout[f"xaxis{_name(place.axis)}"] |= {"constrain": "domain", "constraintoward": "left"}
    for number, row in enumerate(rows):
        layout[f"coloraxis{_name(number + 1)}"] = _colours(row, number, laid)
    layout["annotations"] = _notes(rows, laid)
    layout["updatemenus"] = _menus(rows, laid)
    return layout


def _colours(row: MapRow, number: int, laid: Grid) -> dict[str, Any]:
    """The scale of an expression, over all its maps of all tokens."""
    tiles = laid.blocks[number].tiles[PICTURES:]
    top, end = min(t.y for t in tiles), max(t.y + t.height for t in tiles)
    return {
        "colorscale": _SCALE,
        "cmin": 0,
        "cmax": round(_EVEN * end_of_scale(row)),
        "colorbar": {
            "x": 1.0,
            "xpad": 6,
            "y": 1 - top / laid.height,
            "yanchor": "top",
            "len": max(96.0, end - top),
            "lenmode": "pixels",
            "ypad": 0,
            "thickness": 10,
            "nticks": 4,
            "ticksuffix": " %",
            "tickfont": {"size": 11},
        },
    }


def _notes(rows: Sequence[MapRow], laid: Grid) -> list[dict[str, Any]]:
    """Each expression's text and labels, and under every map the energy inside the target.

    Labels hold on to their tile, which is smaller than its place where the page is narrower.
    """
    found = []
    axis = 1
    for row, block in zip(rows, laid.blocks, strict=True):
        text = {"text": f"<b>“{block.text}”</b>", "xref": "paper", "yref": "paper", "x": 0}
        text |= {"y": 1 - block.top / laid.height, "yanchor": "top", "font": {"size": 14}}
        found.append({**_NOTE, **text})
        models = ["", *dict.fromkeys(tile.model for tile in row.tiles)]
        for model, first in zip(models, block.firsts, strict=True):
            found.append(_note(f"<b>{model}</b>", axis + first, up=19))
        for tile, name in enumerate(_labels(row)):
            found.append(_note(name, axis + tile, up=3))
        for tile, energy in enumerate(_energies(row, 0), start=PICTURES):
            found.append(_note(energy, axis + tile, under=row.size[0]))
        axis += PICTURES + len(row.tiles)
    return found


def _labels(row: MapRow) -> list[str]:
    return ["image", "target", *(tile.depth for tile in row.tiles)]


def _energies(row: MapRow, word: int) -> list[str]:
    return [f"{100 * tile.energy[word]:.1f} %" for tile in row.tiles]


def _note(text: str, axis: int, *, up: int = 0, under: int = 0) -> dict[str, Any]:
    """Text ``up`` pixels above a tile, or below its lower edge, which is at ``under``."""
    return {
        **_NOTE,
        "text": text,
        "xref": f"x{_name(axis)}",
        "yref": f"y{_name(axis)}",
        "x": 0,
        "y": under,
        "yanchor": "top" if under else "bottom",
        "yshift": -2 if under else up,
        "font": {"size": 11},
    }


def _menus(rows: Sequence[MapRow], laid: Grid) -> list[dict[str, Any]]:
    menus = []
    trace, note = 0, 0
    for row, block in zip(rows, laid.blocks, strict=True):
        words, tiles = len(row.words), len(row.tiles)
        traces = list(range(trace, trace + words * tiles))
        before = 1 + len(block.firsts) + len(block.tiles)
        notes = range(note + before, note + before + tiles)
        buttons = [_button(row, word, traces, notes) for word in range(words)]
        menus.append(
            {
                "buttons": buttons,
                "direction": "down",
                "showactive": True,
                "x": 0,
                "xanchor": "left",
                "y": 1 - block.menu / laid.height,
                "yanchor": "top",
                "pad": {"t": 4, "b": 4},
            }
        )
        trace += words * tiles
        note = notes.stop
    return menus


def _button(row: MapRow, word: int, traces: list[int], notes: range) -> dict[str, Any]:
    shown = [i % len(row.words) == word for i in range(len(traces))]
    texts = zip(notes, _energies(row, word), strict=True)
    return {
        "label": _word(row, word),
        "method": "update",
        "args": [{"visible": shown}, {f"annotations[{i}].text": t for i, t in texts}, traces],
    }


def _images(rows: Sequence[MapRow], places: Sequence[_Place]) -> list[dict[str, Any]]:
    return [
        {
            "source": (rows[place.row].image, rows[place.row].target)[place.tile],
            "xref": f"x{_name(place.axis)}",
            "yref": f"y{_name(place.axis)}",
            "x": 0,
            "y": 0,
            "sizex": rows[place.row].size[1],
            "sizey": rows[place.row].size[0],
            "xanchor": "left",
            "yanchor": "top",
            "sizing": "stretch",
            "layer": "above",
        }
        for place in places
        if place.tile < PICTURES
    ]


def _alt(rows: Sequence[MapRow]) -> str:
    said = []
    for row in rows:
        models = dict.fromkeys(tile.model for tile in row.tiles)
        parts = []
        for model in models:
            own = [t for t in row.tiles if t.model == model]
            energies = ", ".join(f"{100 * t.energy[0]:.1f} % at {t.depth}" for t in own)
            parts.append(f"{model} {energies}")
        said.append(f"“{row.text}”: {'; '.join(parts)}")
    return f"Share of each map's energy inside the target. {'. '.join(said)}."
