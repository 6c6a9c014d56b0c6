"""How well the maps of each model find the target, by depth (Fig. 4 as a measurement)."""

import plotly.graph_objects as go

from remamber.figures import Estimate, FigureData, Series
from remamber.figures._screens import fit
from remamber.figures._style import REFERENCE, empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register

_HEIGHT = 300
"""Of the panel, pixels."""
_SPREAD = 0.06
"""How far the rows stand apart at a depth, of the distance of two depths."""


@register("energy")
def energy(data: FigureData) -> go.Figure:
    """A line a model over its depths with 95 % intervals; untrained ones dotted, and chance."""
    rows = [row for row in data.series if row.by_map]
    if not rows:
        return empty(data, why="no map was measured")
    depths = [depth for depth in data.panels if any(depth in row.by_map for row in rows)]
    figure = go.Figure()
    if data.split in data.floors:
        name, value = data.floors[data.split]
        figure.add_trace(_chance(name, value, len(depths)))
    for place, row in enumerate(rows):
        shift = _SPREAD * (place - (len(rows) - 1) / 2)
        figure.add_trace(_line(row, depths, shift, data))
    figure.update_xaxes(
        tickvals=list(range(len(depths))),
        ticktext=depths,
        range=[-0.35, len(depths) - 0.65],
        title_text="depth",
    )
    figure.update_yaxes(title_text=f"{data.metric} (%)", rangemode="tozero")
    finish(figure, data, alt=_alt(rows, depths, data), height=_HEIGHT)
    fit(figure, plot=_HEIGHT)
    return figure


def _chance(name: str, value: float, depths: int) -> go.Scatter:
    return go.Scatter(
        x=[-0.35, depths - 0.65],
        y=[100 * value, 100 * value],
        mode="lines",
        name=name,
        line={"color": REFERENCE, "dash": "dash", "width": 1.5},
        hovertemplate=f"%{{y:.1f}} %<extra>{name}</extra>",
    )


def _line(row: Series, depths: list[str], shift: float, data: FigureData) -> go.Scatter:
    style = style_of(row.index)
    known = [(i, row.by_map[depth]) for i, depth in enumerate(depths) if depth in row.by_map]
    values = [100 * estimate.value for _, estimate in known]
    ends = [_ends(estimate) for _, estimate in known]
    return go.Scatter(
        x=[i + shift for i, _ in known],
        y=values,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - v for (_, high), v in zip(ends, values, strict=True)],
            "arrayminus": [v - low for (low, _), v in zip(ends, values, strict=True)],
            "thickness": 1.2,
            "width": 3,
        },
        mode="lines+markers",
        name=row.label,
        line={
            "color": style.colour,
            "dash": "dot" if row.control else style.dash,
            "width": 1.5 if row.control else 2.5,
        },
        marker={"symbol": style.marker + ("-open" if row.control else ""), "size": 8},
        customdata=[f"{depths[i]}: {_words(estimate, data)}" for i, estimate in known],
        hovertemplate=f"%{{customdata}}<extra>{row.label}</extra>",
    )


def _ends(estimate: Estimate) -> tuple[float, float]:
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return 100 * low, 100 * high


def _words(estimate: Estimate, data: FigureData) -> str:
    if estimate.low is None or estimate.high is None:
        return data.percent(estimate.value)
    ends = f"[{data.percent(estimate.low)}, {data.percent(estimate.high)}]"
    return f"{data.percent(estimate.value)} {ends}"


def _alt(rows: list[Series], depths: list[str], data: FigureData) -> str:
    said = []
    for row in rows:
        parts = [f"{d} {data.percent(row.by_map[d].value)}" for d in depths if d in row.by_map]
        said.append(f"{row.label}: {', '.join(parts)}")
    if data.split in data.floors:
        name, value = data.floors[data.split]
        said.append(f"{name}: {data.percent(value)}")
    return f"{data.metric} in percent by depth. {'; '.join(said)}."
