"""Cost against resolution (Fig. 8): time or memory of every model by the image's side, log-log."""

from collections.abc import Sequence

import plotly.graph_objects as go

from remamber.figures import FigureData, Reading, Series
from remamber.figures._screens import fit
from remamber.figures._style import (
    PANEL_TOP,
    cost_unit,
    empty,
    finish,
    side_by_side,
    style_of,
)
from remamber.registry import FIGURES

register = FIGURES.register

_HEIGHT = 290
"""Of a panel, pixels."""
_LOST_AT = 1.6
"""Where a model that did not fit is marked: so many times above the highest value."""


@register("scaling")
def scaling(data: FigureData) -> go.Figure:
    """Every model's cost by the image's side; a cross where it ran out of memory."""
    rows = [s for s in data.series if s.readings]
    known = [r.value for s in rows for r in s.readings if r.value]
    if not known:
        return empty(data, why="nothing was measured")
    panels = list(dict.fromkeys(r.panel for s in rows for r in s.readings))
    figure = side_by_side(panels)
    factor, unit = cost_unit(data.metric)
    top = _LOST_AT * max(known) * factor
    named: set[str] = set()
    for column, panel in enumerate(panels, start=1):
        for row in rows:
            readings = [r for r in row.readings if r.panel == panel]
            for trace in _traces(row, readings, data.metric, top, first=row.label not in named):
                figure.add_trace(trace, row=1, col=column)
                named.add(row.label)
    sides = sorted({r.side for s in rows for r in s.readings})
    figure.update_xaxes(type="log", title_text="side of the image (px)", tickvals=sides)
    figure.update_xaxes(ticktext=[str(side) for side in sides])
    figure.update_yaxes(type="log", dtick=1)
    figure.update_yaxes(title_text=f"{data.metric} ({unit})", row=1, col=1)
    finish(figure, data, alt=_alt(rows, panels, data), height=_HEIGHT)
    fit(figure, plot=_HEIGHT, top=PANEL_TOP)
    return figure


def _traces(
    row: Series, readings: Sequence[Reading], metric: str, top: float, *, first: bool
) -> list[go.Scatter]:
    style, (factor, unit) = style_of(row.index), cost_unit(metric)
    found = []
    known = [(r, r.value) for r in readings if r.value is not None]
    lost = [r for r in readings if r.lost]
    if known:
        found.append(
            go.Scatter(
                x=[r.side for r, _ in known],
                y=[value * factor for _, value in known],
                error_y=_bars(known, factor),
                mode="lines+markers",
                name=row.label,
                legendgroup=row.label,
                showlegend=first,
                line={"color": style.colour, "dash": style.dash, "width": 2},
                marker={"symbol": style.marker, "size": 8},
                hovertemplate=f"%{{x}} px: %{{y:.4g}} {unit}<extra>{row.label}</extra>",
            )
        )
    if lost:
        found.append(
            go.Scatter(
                x=[r.side for r in lost],
                y=[top] * len(lost),
                mode="markers+text",
                text=["OOM"] * len(lost),
                textposition="bottom center",
                name=row.label,
                legendgroup=row.label,
                showlegend=first and not known,
                marker={"color": style.colour, "symbol": "x", "size": 12},
                hovertemplate=f"%{{x}} px: out of memory<extra>{row.label}</extra>",
            )
        )
    return found


def _bars(known: Sequence[tuple[Reading, float]], factor: float) -> dict[str, object]:
    if any(r.low is None or r.high is None for r, _ in known):
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [((r.high or v) - v) * factor for r, v in known],
        "arrayminus": [(v - (r.low or v)) * factor for r, v in known],
        "thickness": 1,
    }


def _plain(value: float) -> str:
    """Three digits or all before the point, never a power of ten."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


def _alt(rows: Sequence[Series], panels: Sequence[str], data: FigureData) -> str:
    factor, unit = cost_unit(data.metric)
    parts = []
    for panel in panels:
        said = []
        for row in rows:
            known = [(r.side, r.value) for r in row.readings if r.panel == panel and r.value]
            lost = [r.side for r in row.readings if r.panel == panel and r.lost]
            if known:
                (first, low), (last, high) = known[0], known[-1]
                words = f"{row.label} {_plain(low * factor)} {unit} at {first} px"
                if last != first:
                    words += f" to {_plain(high * factor)} {unit} at {last} px"
                growth = row.growth.get(panel)
                said.append(words + (f", exponent {growth.value:.2f}" if growth else ""))
            if lost:
                said.append(f"{row.label} out of memory from {lost[0]} px")
        parts.append(f"{panel}: {'; '.join(said)}" if panel else "; ".join(said))
    return f"{data.metric.capitalize()}. {'. '.join(parts)}."
