"""Where in the image a model's middle features look: the energy of their gradients, map by map."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from remamber.figures import FigureData, Series
from remamber.figures._style import empty, finish
from remamber.registry import FIGURES

register = FIGURES.register

_DECADES = 5
"""What is fainter than the brightest cell by more powers of ten is drawn as if by so many."""
_PANEL, _NARROW_PANEL, _NAME = 150, 96, 18
"""Heights of a row of panels, of one on a telephone and of its name, pixels."""
_ABOVE, _BELOW = 102, 84
"""Margins, pixels: for the headings, and for the scale."""


@register("receptive")
def receptive(data: FigureData) -> go.Figure:
    """A panel for each row and map on one logarithmic scale of brightness."""
    rows = [row for row in data.series if row.energy]
    if not rows:
        return empty(data, why="no field was measured")
    maps = list(dict.fromkeys(name for row in rows for name in row.energy))
    figure = make_subplots(
        rows=len(rows),
        cols=len(maps),
        column_titles=maps,
        horizontal_spacing=0.01,
        vertical_spacing=0.28 / max(len(rows), 2),
    )
    # The first row's name stands between the headings and the panels.
    figure.update_annotations(yshift=_NAME, font={"size": 13})
    for i, row in enumerate(rows, start=1):
        for j, name in enumerate(maps, start=1):
            if name in row.energy:
                figure.add_trace(_panel(row, name), row=i, col=j)
                axis = (i - 1) * len(maps) + j
                figure.update_yaxes(scaleanchor=f"x{axis if axis > 1 else ''}", row=i, col=j)
        _name(figure, row, of=(i - 1) * len(maps) + 1)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    figure.update_layout(coloraxis=_scale())
    around = _ABOVE + _BELOW
    finish(figure, data, alt=_alt(rows, maps), height=around + _PANEL * len(rows))
    narrow = {"height": around + _NARROW_PANEL * len(rows)}
    return figure.update_layout(
        margin={"t": _ABOVE, "b": _BELOW}, meta={**figure.layout.meta, "narrow": narrow}
    )


def _panel(row: Series, name: str) -> go.Heatmap:
    cells = row.energy[name].astype(np.float64)
    brightest = cells.max() if cells.max() > 0 else 1.0
    faint = np.maximum(cells / brightest, 10.0**-_DECADES)
    return go.Heatmap(
        z=np.log10(faint).astype(np.float32),
        coloraxis="coloraxis",
        hovertemplate=f"{row.label}, {name}: 10^%{{z:.1f}} of the brightest<extra></extra>",
    )


def _name(figure: go.Figure, row: Series, *, of: int) -> None:
    """The row's name above its first panel."""
    axis = "" if of == 1 else str(of)
    figure.add_annotation(
        text=row.label,
        x=0,
        xref="paper",
        y=1,
        yref=f"y{axis} domain",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12},
    )


def _scale() -> dict[str, object]:
    ticks = list(range(-_DECADES, 1))
    return {
        "colorscale": "Cividis",
        "cmin": -_DECADES,
        "cmax": 0,
        "colorbar": {
            "orientation": "h",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "thickness": 10,
            "title": {"text": "energy, of the brightest cell's", "side": "top"},
            "tickvals": ticks,
            "ticktext": ["1" if t == 0 else f"10<sup>{t}</sup>" for t in ticks],
        },
    }


def _alt(rows: Sequence[Series], maps: Sequence[str]) -> str:
    parts = []
    for row in rows:
        values = [f"{name} {_within(row.energy[name])}" for name in maps if name in row.energy]
        parts.append(f"{row.label}: {', '.join(values)}")
    return (
        "Energy of the gradient by the image's pixels; share of it in the middle quarter of the"
        f" image. {'; '.join(parts)}."
    )


def _within(cells: np.ndarray) -> str:
    n = len(cells)
    middle = cells[n // 4 : n - n // 4, n // 4 : n - n // 4].sum()
    return f"{100 * middle / max(cells.sum(), 1e-30):.0f} %"
