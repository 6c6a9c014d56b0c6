"""Roofline: arithmetic intensity against performance, under the machine's own measured limits.

Williams, Waterman and Patterson (2009). A scan has few operations a byte, so its roof is the
memory's: the distance of a point from the sloping line is what is left to gain.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from remamber.figures import FigureData, Point, Roofs, Series
from remamber.figures._screens import fit
from remamber.figures._style import (
    PANEL_TOP,
    REFERENCE,
    empty,
    finish,
    panels_of,
    side_by_side,
    style_of,
)
from remamber.registry import FIGURES

register = FIGURES.register

_HEIGHT = 300
"""Of a panel, pixels."""
_SPREAD = 1.06
"""Implementations stand side by side, this factor apart: scans share one intensity."""


@register("roofline")
def roofline(data: FigureData) -> go.Figure:
    """Every implementation on every shape below the copy's bandwidth and a product's rate."""
    rows = [s for s in data.series if s.points]
    if not rows:
        return empty(data, why="no implementation was timed")
    panels = panels_of(data, [p for s in rows for p in s.points])
    figure = side_by_side(panels)
    low, high = _span([p.intensity for s in rows for p in s.points])
    named: set[str] = set()
    for column, panel in enumerate(panels, start=1):
        if data.roofs is not None:
            figure.add_trace(_roof(data.roofs, low, high, first=column == 1), row=1, col=column)
        for place, row in enumerate(rows):
            points = _in(row, panel)
            if points:
                factor = _SPREAD ** (place - (len(rows) - 1) / 2)
                trace = _points(row, points, factor, legend=row.label not in named)
                figure.add_trace(trace, row=1, col=column)
                named.add(row.label)
    figure.update_xaxes(type="log", title_text="operations a byte", dtick=1)
    figure.update_yaxes(type="log", dtick=1)
    figure.update_yaxes(title_text="operations a second (GFLOP/s)", row=1, col=1)
    finish(figure, data, alt=_alt(rows, panels, data), height=_HEIGHT)
    fit(figure, plot=_HEIGHT, top=PANEL_TOP)
    return figure


def _in(row: Series, panel: str) -> list[Point]:
    return [p for p in row.points if p.panel == panel]


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values) / 3, max(values) * 3


def _roof(roofs: Roofs, low: float, high: float, *, first: bool) -> go.Scatter:
    ridge = roofs.peak / roofs.bandwidth
    # Far enough to the right that the flat part is seen, where the points leave room for it.
    end = max(high, 2 * ridge)
    x = [low, ridge, end]
    y = [low * roofs.bandwidth, roofs.peak, roofs.peak]
    return go.Scatter(
        x=x,
        y=[value / 1e9 for value in y],
        mode="lines",
        name="measured copy bandwidth and matrix product",
        legendgroup="roof",
        showlegend=first,
        line={"color": REFERENCE, "width": 2},
        hovertemplate="%{y:.0f} GFLOP/s at %{x:.2g} operations a byte<extra>roof</extra>",
    )


def _points(row: Series, points: list[Point], factor: float, *, legend: bool) -> go.Scatter:
    style = style_of(row.index)
    return go.Scatter(
        x=[p.intensity * factor for p in points],
        y=[p.rate / 1e9 for p in points],
        mode="markers",
        name=row.label,
        legendgroup=row.label,
        showlegend=legend,
        marker={"color": style.colour, "symbol": style.marker, "size": 9},
        customdata=[[p.place, p.intensity, 1000 * p.seconds] for p in points],
        hovertemplate=(
            "%{customdata[0]}: %{y:.2g} GFLOP/s, %{customdata[1]:.2g} operations a byte,"
            f" %{{customdata[2]:.3g}} ms<extra>{row.label}</extra>"
        ),
    )


def _alt(rows: Sequence[Series], panels: Sequence[str], data: FigureData) -> str:
    parts = []
    for panel in panels:
        said = []
        for row in rows:
            rates = [p.rate / 1e9 for p in _in(row, panel)]
            if rates:
                low, high = f"{min(rates):.3g}", f"{max(rates):.3g}"
                said.append(f"{row.label} {low}" + (f" to {high}" if low != high else ""))
        parts.append(f"{panel}, GFLOP/s: {', '.join(said)}")
    text = f"{'. '.join(parts)}."
    if data.roofs is None:
        return text
    copy, peak = data.roofs.bandwidth / 1e9, data.roofs.peak / 1e9
    return f"{text} The roof: {copy:.0f} GB/s and {peak:.0f} GFLOP/s, both measured."
