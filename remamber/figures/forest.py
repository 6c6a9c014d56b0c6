"""Forest plot: every row's paired difference to the best row with its 95 % interval."""

import plotly.graph_objects as go

from remamber.figures import FigureData, Series
from remamber.figures._style import REFERENCE, empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register


@register("forest")
def forest(data: FigureData) -> go.Figure:
    """Paired differences to the best row of the split, largest difference last."""
    rows = [s for s in data.series if s.difference is not None]
    if len(rows) < 2:
        return empty(data, why="fewer than two rows were scored, so there is no difference")
    rows = sorted(rows, key=lambda s: s.difference.value if s.difference else 0.0)
    figure = go.Figure()
    for row in rows:
        figure.add_trace(_point(row, data))
    figure.add_vline(x=0, line={"color": REFERENCE, "width": 1})
    figure.update_xaxes(title_text=f"{data.split} {data.metric} minus best (points)")
    in_two_lines = f"{data.split} {data.metric}<br>minus best (points)"
    figure.update_yaxes(showgrid=False)
    figure.update_layout(showlegend=False)
    finish(figure, data, alt=_alt(rows, data), height=110 + 44 * len(rows))
    axis = figure.layout.xaxis.to_plotly_json()
    narrow = {"xaxis": {**axis, "title": {"text": in_two_lines}}}
    return figure.update_layout(meta={**figure.layout.meta, "narrow": narrow})


def _point(row: Series, data: FigureData) -> go.Scatter:
    style = style_of(row.index)
    value, low, high = row.difference or (0.0, None, None)
    note = "best" if row.best else "cannot be told from the best" if row.tied else "differs"
    bars = low is not None and high is not None and not row.best
    return go.Scatter(
        x=[100 * value],
        y=[f"{row.label} †" if row.tied else row.label],
        mode="markers",
        name=row.label,
        marker={
            "color": style.colour,
            "symbol": style.marker,
            "size": 11,
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [100 * ((high or 0.0) - value)] if bars else [0],
            "arrayminus": [100 * (value - (low or 0.0))] if bars else [0],
            "color": style.colour,
            "thickness": 2,
            "width": 5,
            "visible": bars,
        },
        hovertemplate=f"%{{x:+.1f}} points ({note})<extra>%{{y}}</extra>",
    )


def _alt(rows: list[Series], data: FigureData) -> str:
    best = next(s for s in rows if s.best)
    parts = []
    for row in reversed(rows):
        if row.best or row.difference is None:
            continue
        value, low, high = row.difference
        ends = (
            ""
            if low is None or high is None
            else f" (95 % interval {data.percent(-high)} to {data.percent(-low)})"
        )
        end = ", not distinguishable" if row.tied else ""
        parts.append(f"{row.label} is {data.percent(-value)} points lower{ends}{end}")
    return f"{data.split} {data.metric} against {best.label}, the best row: {'; '.join(parts)}."
