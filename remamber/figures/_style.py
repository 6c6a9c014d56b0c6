"""Colours, dashes, markers and the light and dark templates that all figures share."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from remamber.figures import FigureData, Point

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7F7F7F")
"""The five of Okabe and Ito's colours (grey for black) with contrast 3:1 on white and on dark."""
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "x")
REFERENCE = "#7F7F7F"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


PANEL_TOP = 80
"""Margin above panels with headings, in pixels."""


class Style(NamedTuple):
    """How one row of a study looks in every figure."""

    colour: str
    dash: str
    marker: str


def style_of(index: int) -> Style:
    """Colour first, then dash, so that 20 rows differ; marker along with the colour."""
    turn, place = divmod(index, len(COLOURS))
    return Style(COLOURS[place], DASHES[turn % len(DASHES)], MARKERS[(place + turn) % len(MARKERS)])


def template(*, dark: bool) -> go.layout.Template:
    """Text, grid and background for white or dark paper."""
    ink, grid, paper = (
        ("#E6E8EB", "#343A42", "#121417") if dark else ("#1B1F24", "#E1E4E8", "#FFFFFF")
    )
    axis = {
        "gridcolor": grid,
        "linecolor": grid,
        "zerolinecolor": grid,
        "ticks": "outside",
        "tickcolor": grid,
        "automargin": True,
        "title": {"standoff": 8, "font": {"size": 13}},
    }
    in_space = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "color": ink}
    wall = {**in_space, "backgroundcolor": paper, "showbackground": True}
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": ink},
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"font": {"family": FONT}},
            "legend": {"bgcolor": "rgba(0,0,0,0)"},
            "scene": {"xaxis": wall, "yaxis": wall, "zaxis": wall},
            "updatemenudefaults": {"bgcolor": paper, "bordercolor": grid, "font": {"color": ink}},
        }
    )


def finish(figure: go.Figure, data: FigureData, *, alt: str, height: int) -> go.Figure:
    """Give a figure its title, its alternative text and the light template."""
    layout: dict[str, Any] = {
        "title": {"text": data.title, "x": 0, "xref": "paper", "font": {"size": 16}},
        "template": template(dark=False),
        "meta": {"alt": alt},
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 48, "b": 10},
    }
    return figure.update_layout(**layout)


def cost_unit(metric: str) -> tuple[float, str]:
    """Factor and unit in which a cost is drawn: time in ms, memory in MiB, else as it is."""
    return {"time": (1e3, "ms"), "memory": (2.0**-20, "MiB")}.get(metric, (1.0, "base unit"))


def panels_of(data: FigureData, points: Sequence[Point]) -> list[str]:
    """The panels that have points: in the order that the data names, else by name."""
    found = {point.panel for point in points}
    return [panel for panel in data.panels if panel in found] or sorted(found)


def side_by_side(panels: list[str]) -> go.Figure:
    """An empty figure of titled panels in a row, with one vertical axis."""
    return make_subplots(
        rows=1,
        cols=len(panels),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=panels,
    )


def empty(data: FigureData, *, why: str) -> go.Figure:
    """A figure that says why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(text=why, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return finish(figure, data, alt=f"{data.title}: {why}.", height=160)
