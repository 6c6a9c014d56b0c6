"""The metric of every row on every split with its interval, between floor and ceiling."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from remamber.figures import FigureData, Series
from remamber.figures._screens import fit
from remamber.figures._style import REFERENCE, empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register

_HEIGHT = 320
"""Of the panel, pixels."""
_SPREAD = 0.6
"""Share of the room between two splits over which their rows are spread."""


@register("intervals")
def intervals(data: FigureData) -> go.Figure:
    """Rows side by side on every split; floors and ceilings of the data as lines."""
    rows = [s for s in data.series if s.by_split]
    if not rows:
        return empty(data, why="no row was scored")
    splits = list(dict.fromkeys(split for row in rows for split in row.by_split))
    figure = go.Figure()
    for place, row in enumerate(rows):
        offset = _SPREAD * ((place + 0.5) / len(rows) - 0.5)
        figure.add_trace(_points(row, splits, offset))
    for bounds, dash in ((data.floors, "dot"), (data.ceilings, "dash")):
        trace = _bound(bounds, splits, dash)
        if trace is not None:
            figure.add_trace(trace)
    figure.update_xaxes(
        tickvals=list(range(len(splits))),
        ticktext=splits,
        range=[-0.5, len(splits) - 0.5],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(title_text=f"{data.metric} (%)", rangemode="tozero")
    finish(figure, data, alt=_alt(rows, splits, data), height=_HEIGHT)
    fit(figure, plot=_HEIGHT)
    return figure


def _points(row: Series, splits: Sequence[str], offset: float) -> go.Scatter:
    style = style_of(row.index)
    shown = [(i, row.by_split[s]) for i, s in enumerate(splits) if s in row.by_split]
    values = [100 * e.value for _, e in shown]
    up = [100 * (e.high - e.value) if e.high is not None else 0.0 for _, e in shown]
    down = [100 * (e.value - e.low) if e.low is not None else 0.0 for _, e in shown]
    return go.Scatter(
        x=[i + offset for i, _ in shown],
        y=values,
        mode="markers",
        name=row.label,
        marker={"color": style.colour, "symbol": style.marker, "size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": up,
            "arrayminus": down,
            "color": style.colour,
            "thickness": 2,
            "width": 4,
        },
        customdata=[splits[i] for i, _ in shown],
        hovertemplate=f"%{{customdata}}: %{{y:.1f}}<extra>{row.label}</extra>",
    )


def _bound(
    bounds: Mapping[str, tuple[str, float]], splits: Sequence[str], dash: str
) -> go.Scatter | None:
    shown = [(i, *bounds[split]) for i, split in enumerate(splits) if split in bounds]
    if not shown:
        return None
    x: list[float | None] = []
    y: list[float | None] = []
    for i, _, value in shown:
        x += [i - 0.45, i + 0.45, None]
        y += [100 * value, 100 * value, None]
    name = shown[0][1]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        line={"color": REFERENCE, "dash": dash, "width": 2},
        hovertemplate=f"%{{y:.1f}}<extra>{name}</extra>",
    )


def _alt(rows: Sequence[Series], splits: Sequence[str], data: FigureData) -> str:
    parts = []
    for split in splits:
        values = [
            f"{row.label} {data.percent(row.by_split[split].value)}"
            for row in rows
            if split in row.by_split
        ]
        bounds = [b[split] for b in (data.floors, data.ceilings) if split in b]
        values += [f"{name} {data.percent(value)}" for name, value in bounds]
        parts.append(f"on {split} {', '.join(values)}")
    return f"{data.metric} in percent: {'; '.join(parts)}."
