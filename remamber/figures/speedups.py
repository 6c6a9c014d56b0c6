"""How many times faster than the baseline every implementation is, shape by shape."""

from collections.abc import Sequence

import plotly.graph_objects as go

from remamber.figures import Estimate, FigureData, Point, Series
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


@register("speedups")
def speedups(data: FigureData) -> go.Figure:
    """Dots over shapes on a logarithmic axis, a panel a pass; one is the baseline itself."""
    rows = [s for s in data.series if any(p.speedup is not None for p in s.points)]
    if not rows:
        return empty(data, why="nothing was timed beside the baseline")
    points = [p for s in rows for p in s.points if p.speedup is not None]
    places = list(dict.fromkeys(p.place for p in points))
    panels = panels_of(data, points)
    figure = side_by_side(panels)
    named: set[str] = set()
    for column, panel in enumerate(panels, start=1):
        for row in rows:
            shown = [p for p in row.points if p.panel == panel and p.speedup is not None]
            if shown:
                trace = _dots(row, shown, legend=row.label not in named)
                figure.add_trace(trace, row=1, col=column)
                named.add(row.label)
        figure.add_vline(x=1, line={"color": REFERENCE, "width": 1}, row=1, col=column)
    figure.update_xaxes(type="log", title_text="times faster than the baseline", dtick=1)
    figure.update_yaxes(categoryorder="array", categoryarray=places[::-1], dtick=1)
    height = 40 * len(places)
    finish(figure, data, alt=_alt(rows, panels), height=height)
    fit(figure, plot=height, top=PANEL_TOP, narrow_panel=26 * len(places))
    return figure


def _dots(row: Series, points: list[Point], *, legend: bool) -> go.Scatter:
    style = style_of(row.index)
    known = [p.speedup or Estimate(1.0) for p in points]
    return go.Scatter(
        x=[e.value for e in known],
        y=[p.place for p in points],
        mode="markers",
        name=row.label,
        legendgroup=row.label,
        showlegend=legend,
        marker={"color": style.colour, "symbol": style.marker, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [e.high - e.value if e.high is not None else 0.0 for e in known],
            "arrayminus": [e.value - e.low if e.low is not None else 0.0 for e in known],
            "color": style.colour,
            "thickness": 2,
            "width": 4,
        },
        hovertemplate=f"%{{y}}: %{{x:.3g}} times<extra>{row.label}</extra>",
    )


def _alt(rows: Sequence[Series], panels: Sequence[str]) -> str:
    parts = []
    for panel in panels:
        said = []
        for row in rows:
            values = [p.speedup.value for p in row.points if p.panel == panel and p.speedup]
            if values:
                low, high = f"{min(values):.3g}", f"{max(values):.3g}"
                said.append(f"{row.label} {low}" + (f" to {high}" if low != high else ""))
        parts.append(f"{panel}: {', '.join(said)}")
    return f"Times faster than the baseline. {'. '.join(parts)}."
