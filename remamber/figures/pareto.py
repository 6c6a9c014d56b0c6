"""Accuracy against cost: every model as a point, and the front that none is beyond."""

from typing import NamedTuple

import plotly.graph_objects as go

from remamber.figures import FigureData, Series
from remamber.figures._style import REFERENCE, cost_unit, empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register


class _Place(NamedTuple):
    row: Series
    cost: float
    score: float


@register("pareto")
def pareto(data: FigureData) -> go.Figure:
    """Accuracy by the cost of an iteration; the line joins what nothing beats in both."""
    places = [
        _Place(row, row.cost, row.by_split[data.split].value)
        for row in data.series
        if row.cost is not None and data.split in row.by_split
    ]
    if not places:
        return empty(data, why="no accuracy of these models is recorded")
    factor, unit = cost_unit(data.metric)
    front = _front(places)
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[p.cost * factor for p in front],
            y=[100 * p.score for p in front],
            mode="lines",
            name="front",
            line={"color": REFERENCE, "width": 2, "dash": "dot", "shape": "hv"},
            hoverinfo="skip",
        )
    )
    for place in places:
        figure.add_trace(_point(place, data, factor, unit))
    figure.update_xaxes(title_text=f"{data.metric} of an iteration ({unit})", type="log")
    figure.update_yaxes(title_text=f"{data.split} mIoU (%)")
    figure.update_layout(showlegend=False)
    return finish(figure, data, alt=_alt(places, front, data, factor, unit), height=460)


def _front(places: list[_Place]) -> list[_Place]:
    """Those than which no other is both cheaper and better, the cheapest first."""
    found: list[_Place] = []
    for place in sorted(places, key=lambda p: (p.cost, -p.score)):
        if not found or place.score > found[-1].score:
            found.append(place)
    return found


def _point(place: _Place, data: FigureData, factor: float, unit: str) -> go.Scatter:
    style, estimate = style_of(place.row.index), place.row.by_split[data.split]
    bars: dict[str, object] = {"visible": False}
    if estimate.low is not None and estimate.high is not None:
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [100 * (estimate.high - estimate.value)],
            "arrayminus": [100 * (estimate.value - estimate.low)],
        }
    return go.Scatter(
        x=[place.cost * factor],
        y=[100 * place.score],
        error_y=bars,
        mode="markers+text",
        text=[place.row.label],
        textposition="top center",
        name=place.row.label,
        marker={"color": style.colour, "symbol": style.marker, "size": 10},
        hovertemplate=f"%{{x:.4g}} {unit}, mIoU %{{y:.1f}}<extra>{place.row.label}</extra>",
    )


def _alt(
    places: list[_Place], front: list[_Place], data: FigureData, factor: float, unit: str
) -> str:
    said = [
        f"{p.row.label} {p.cost * factor:.3g} {unit} and {data.percent(p.score)}" for p in places
    ]
    names = ", ".join(p.row.label for p in front)
    return f"{data.metric.capitalize()} and {data.split} mIoU: {'; '.join(said)}. Front: {names}."
