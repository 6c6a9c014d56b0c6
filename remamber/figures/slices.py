"""The metric of every row within slices of a split: one panel a way to divide the expressions."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from remamber.figures import Estimate, FigureData, Series
from remamber.figures._screens import fit
from remamber.figures._style import PANEL_TOP, empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register

_SPREAD = 0.7
"""Share of the room between two slices over which their rows are spread."""
_ROW_HEIGHT, _LEAST_HEIGHT, _BETWEEN = 9, 30, 44
"""Pixels for a row's dot, for a slice at least, and between panels for a heading."""


@register("slices")
def slices(data: FigureData) -> go.Figure:
    """Dots with intervals, slices down the page; a dot without one stands for few images."""
    rows = [s for s in data.series if s.by_slice]
    panels = _panels(rows)
    if not panels:
        return empty(data, why="no slices of these runs were recorded")
    of_slice = max(_LEAST_HEIGHT, _ROW_HEIGHT * len(rows) + 10)
    heights = [len(labels) * of_slice for labels in panels.values()]
    drawn = sum(heights) + _BETWEEN * (len(panels) - 1)
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=_BETWEEN / drawn if len(panels) > 1 else 0,
        subplot_titles=list(panels),
    )
    # Headings over the left end: centred, long ones would leave a narrow page.
    figure.update_annotations(x=0, xanchor="left", font={"size": 13})
    for place, (panel, labels) in enumerate(panels.items(), start=1):
        for turn, row in enumerate(rows):
            offset = _SPREAD * ((turn + 0.5) / len(rows) - 0.5)
            trace = _dots(row, panel, labels, offset=offset, first=place == 1)
            figure.add_trace(trace, row=place, col=1)
        _axis(figure, labels, place)
    figure.update_xaxes(rangemode="tozero", zeroline=False)
    figure.update_xaxes(title_text=f"{data.split} {data.metric} (%)", row=len(panels), col=1)
    finish(figure, data, alt=_alt(rows, panels, data), height=drawn)
    fit(figure, plot=drawn, top=PANEL_TOP)
    return figure


def _panels(rows: Sequence[Series]) -> dict[str, list[str]]:
    """Slices by panel, in the order in which the rows name them."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for panel, by_label in row.by_slice.items():
            found.setdefault(panel, {}).update(dict.fromkeys(by_label))
    return {panel: list(labels) for panel, labels in found.items()}


def _axis(figure: go.Figure, labels: Sequence[str], place: int) -> None:
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
        row=place,
        col=1,
    )


def _dots(
    row: Series, panel: str, labels: Sequence[str], *, offset: float, first: bool
) -> go.Scatter:
    style = style_of(row.index)
    by_label = row.by_slice.get(panel, {})
    shown = [(i, label, by_label[label]) for i, label in enumerate(labels) if label in by_label]
    up = [100 * (e.high - e.value) if e.high is not None else 0.0 for *_, e in shown]
    down = [100 * (e.value - e.low) if e.low is not None else 0.0 for *_, e in shown]
    return go.Scatter(
        x=[100 * e.value for *_, e in shown],
        y=[i + offset for i, *_ in shown],
        mode="markers",
        name=row.label,
        legendgroup=row.label,
        showlegend=first,
        marker={"color": style.colour, "symbol": style.marker, "size": 7},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": up,
            "arrayminus": down,
            "color": style.colour,
            "thickness": 1.5,
            "width": 3,
        },
        customdata=[label for _, label, _ in shown],
        hovertemplate=f"%{{customdata}}: %{{x:.1f}}<extra>{row.label}</extra>",
    )


def _alt(rows: Sequence[Series], panels: dict[str, list[str]], data: FigureData) -> str:
    parts = [
        f"by {panel}, {', '.join(_range(rows, panel, label, data) for label in labels)}"
        for panel, labels in panels.items()
    ]
    ends = ", lowest to highest" if len(rows) > 1 else ""
    of_rows = ", ".join(row.label for row in rows)
    return f"{data.split} {data.metric} in percent of {of_rows}{ends}: {'; '.join(parts)}."


def _range(rows: Sequence[Series], panel: str, label: str, data: FigureData) -> str:
    estimates: list[Estimate] = [
        row.by_slice[panel][label] for row in rows if label in row.by_slice.get(panel, {})
    ]
    values = sorted(estimate.value for estimate in estimates)
    low, high = data.percent(values[0]), data.percent(values[-1])
    return f"{label} {low}" if low == high else f"{label} {low} to {high}"
