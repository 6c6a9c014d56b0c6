"""How far the maps of a model see: the radius of each row from stage to stage."""

from collections.abc import Sequence

import plotly.graph_objects as go

from remamber.figures import FigureData, Series
from remamber.figures._screens import fit
from remamber.figures._style import empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register

_HEIGHT = 360
"""Of the panel, pixels."""
_SPREAD = 0.5
"""Share of the room between two maps over which their rows are spread."""


@register("radius")
def radius(data: FigureData) -> go.Figure:
    """A line a row over the maps, with intervals; initial weights are dotted and hollow."""
    rows = [row for row in data.series if row.by_map]
    if not rows:
        return empty(data, why="no field was measured")
    maps = list(dict.fromkeys(name for row in rows for name in row.by_map))
    figure = go.Figure()
    for place, row in enumerate(rows):
        offset = _SPREAD * ((place + 0.5) / len(rows) - 0.5)
        figure.add_trace(_line(row, maps, offset))
    figure.update_xaxes(
        tickvals=list(range(len(maps))),
        ticktext=maps,
        range=[-0.5, len(maps) - 0.5],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(title_text="radius (% of side)", rangemode="tozero")
    finish(figure, data, alt=_alt(rows, maps, data), height=_HEIGHT)
    fit(figure, plot=_HEIGHT)
    return figure


def _line(row: Series, maps: Sequence[str], offset: float) -> go.Scatter:
    style = style_of(row.index)
    shown = [(i, row.by_map[name]) for i, name in enumerate(maps) if name in row.by_map]
    ends = [(e.low if e.low is not None else e.value, e.value, e.high or e.value) for _, e in shown]
    return go.Scatter(
        x=[i + offset for i, _ in shown],
        y=[100 * value for _, value, _ in ends],
        mode="lines+markers",
        name=row.label,
        line={"color": style.colour, "dash": "dot" if row.control else style.dash, "width": 1.5},
        marker={
            "color": style.colour,
            "symbol": style.marker + ("-open" if row.control else ""),
            "size": 8,
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * (high - value) for _, value, high in ends],
            "arrayminus": [100 * (value - low) for low, value, _ in ends],
            "color": style.colour,
            "thickness": 1.5,
            "width": 3,
        },
        customdata=[maps[i] for i, _ in shown],
        hovertemplate=f"%{{customdata}}: %{{y:.1f}} %<extra>{row.label}</extra>",
    )


def _alt(rows: Sequence[Series], maps: Sequence[str], data: FigureData) -> str:
    parts = []
    for row in rows:
        values = [
            f"{name} {data.percent(row.by_map[name].value)}" for name in maps if name in row.by_map
        ]
        parts.append(f"{row.label}: {', '.join(values)}")
    return f"Radius in percent of the image's side. {'; '.join(parts)}."
