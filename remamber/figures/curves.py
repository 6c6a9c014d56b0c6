"""Training curves: the smoothed loss of every row, and its score where one was measured."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from remamber.figures import Curve, FigureData, Series
from remamber.figures._screens import fit
from remamber.figures._style import empty, finish, style_of
from remamber.registry import FIGURES

register = FIGURES.register

LOSS = "loss"
_MOST_POINTS = 300
"""More points than pixels only make the page heavy."""
_HEIGHT = 300
"""Of a panel, pixels."""
_WINDOW = 0.05
"""Length of the running mean over the loss, as a share of the training."""


@register("curves")
def curves(data: FigureData) -> go.Figure:
    """Loss and the metric on a sample of the split by training step, mean over seeds."""
    score = _score(data)
    names = [n for n in (LOSS, score) if any(_has(s, n) for s in data.series)]
    if not names:
        return empty(data, why="no training curve was recorded")
    figure = make_subplots(rows=1, cols=len(names), horizontal_spacing=0.1)
    for column, name in enumerate(names, start=1):
        for row in data.series:
            if _has(row, name):
                figure.add_trace(_line(row, name, legend=column == 1), row=1, col=column)
        figure.update_xaxes(title_text="step", row=1, col=column)
    figure.update_yaxes(rangemode="tozero")
    for column, name in enumerate(names, start=1):
        shown = "training loss, running mean" if name == LOSS else f"{score} on a sample (%)"
        figure.update_yaxes(title_text=shown, row=1, col=column)
    finish(figure, data, alt=_alt(data), height=_HEIGHT)
    fit(figure, plot=_HEIGHT)
    return figure


def _has(row: Series, name: str) -> bool:
    return any(row.curves.get(name, ()))


def _line(row: Series, name: str, *, legend: bool) -> go.Scatter:
    style = style_of(row.index)
    steps, values = _mean_over_seeds(row.curves[name])
    values = _running_mean(values) if name == LOSS else 100 * values
    keep = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _MOST_POINTS)).astype(int))
    return go.Scatter(
        x=[float(x) for x in steps[keep]],
        y=[round(float(y), 5) for y in values[keep]],
        mode="lines" if name == LOSS else "lines+markers",
        name=row.label,
        legendgroup=row.label,
        showlegend=legend,
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={"symbol": style.marker, "size": 7},
        hovertemplate=f"step %{{x}}: %{{y:.3g}}<extra>{row.label}</extra>",
    )


def _mean_over_seeds(of_seeds: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    by_step: dict[float, list[float]] = {}
    for curve in of_seeds:
        for step, value in curve:
            by_step.setdefault(step, []).append(value)
    steps = sorted(by_step)
    return np.array(steps), np.array([float(np.mean(by_step[s])) for s in steps])


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the window that ends at each point, shorter at the start."""
    window = max(1, round(_WINDOW * len(values)))
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    smoothed: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return smoothed


def _alt(data: FigureData) -> str:
    falls = []
    for row in data.series:
        if _has(row, LOSS):
            steps, values = _mean_over_seeds(row.curves[LOSS])
            smooth = _running_mean(values)
            falls.append(f"{row.label} from {values[0]:.2f} to {smooth[-1]:.2f}")
    text = f"Training loss: {', '.join(falls)}." if falls else ""
    score = _score(data)
    ends = []
    for row in data.series:
        if _has(row, score):
            _, values = _mean_over_seeds(row.curves[score])
            ends.append(f"{row.label} {data.percent(float(values[-1]))}")
    last = f"Last {score} measured during training: {', '.join(ends)}." if ends else ""
    return f"{text} {last}".strip()


def _score(data: FigureData) -> str:
    return f"{data.split} {data.metric}"
