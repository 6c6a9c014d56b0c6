"""How a figure lies on a wide page and on a telephone: panels, and room for the legend."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

_WIDE, _NARROW = 1040, 320
"""Pixels that a legend has across."""
_LETTER, _SYMBOL, _ENTRY = 7.5, 45, 20
"""Pixels of a letter of a legend, across its symbol and down a line of it; rather too many."""
_AXIS, _HEADING = 62, 30
"""Pixels of the words under a horizontal axis, and of a heading over a panel."""
_NARROW_PANEL = 260
"""Height of a panel among several on a telephone, pixels."""


def fit(figure: go.Figure, *, plot: int, top: int = 48, narrow_panel: int = _NARROW_PANEL) -> None:
    """Give a finished figure its height, so that no legend takes it from the panels.

    The legend lies at the very bottom. What differs on a telephone is left in
    ``layout.meta["narrow"]``, keys of the layout by which a narrow page replaces the wide ones:
    there the legend has more lines, and panels that stand side by side stand below each other.

    Args:
        figure: with template and alternative text.
        plot: height of the panels, pixels.
        top: margin over them, pixels.
        narrow_panel: height of each panel where they stand below each other, pixels.
    """
    wide, narrow = (_AXIS + _ENTRY * legend_lines(figure, width) for width in (_WIDE, _NARROW))
    columns = _columns(figure)
    stacked = _stacked(figure, narrow_panel) if len(columns) > 1 else {}
    inner = len(columns) * (narrow_panel + _AXIS + _HEADING) if stacked else plot
    margin = figure.layout.margin.to_plotly_json()
    figure.update_layout(
        height=top + plot + wide,
        margin={"t": top, "b": wide},
        legend=_AT_BOTTOM,
        meta={
            **(figure.layout.meta or {}),
            "narrow": {
                **stacked,
                "height": top + inner + narrow,
                "margin": {**margin, "t": top, "b": narrow},
            },
        },
    )


_AT_BOTTOM = {
    "orientation": "h",
    "x": 0,
    "y": 0,
    "yref": "container",
    "yanchor": "bottom",
    # Half of the figure by default; a longer legend would get a scroll bar.
    "maxheight": 1,
}


def legend_lines(figure: go.Figure, width: int) -> int:
    """How many lines the legend takes at most where it may be so wide, in pixels."""
    if figure.layout.showlegend is False:
        return 0
    shown = [t.name for t in figure.data if t.name and t.showlegend is not False]
    widths = [_SYMBOL + _LETTER * len(name) for name in shown]
    if sum(widths) <= width:
        return min(1, len(shown))
    return -(-len(shown) // max(1, int(width // max(widths))))


def _columns(figure: go.Figure) -> list[int]:
    """Numbers of the axes of panels that stand side by side, none if there is but one panel."""
    starts: dict[float, int] = {}
    for number, axis in enumerate(figure.select_xaxes(), start=1):
        starts.setdefault(axis.domain[0] if axis.domain else 0.0, number)
    return list(starts.values())


def _stacked(figure: go.Figure, panel: int) -> dict[str, Any]:
    """The axes and headings of one row of panels, below each other."""
    numbers = _columns(figure)
    block = panel + _AXIS + _HEADING
    height = len(numbers) * block
    layout: dict[str, Any] = {}
    tops = []
    first = figure.layout["yaxis"].to_plotly_json()
    for place, number in enumerate(numbers):
        ending = "" if number == 1 else str(number)
        top = 1 - (place * block + _HEADING) / height
        x, y = (figure.layout[f"{way}axis{ending}"].to_plotly_json() for way in "xy")
        layout[f"xaxis{ending}"] = {**x, "domain": [0, 1]}
        # Panels in a row share the first one's words; below each other each has its own.
        title = y["title"] if y.get("title") else first.get("title")
        layout[f"yaxis{ending}"] = {
            **y,
            "domain": [top - panel / height, top],
            "showticklabels": True,
            **({"title": title} if title else {}),
        }
        tops.append(top)
    layout["annotations"] = _headings(figure, tops)
    return layout


def _headings(figure: go.Figure, tops: Sequence[float]) -> list[dict[str, Any]]:
    """The panels' headings, which a figure of panels has first, over their left ends."""
    notes = [note.to_plotly_json() for note in figure.layout.annotations]
    for note, top in zip(notes, tops, strict=False):
        note.update(x=0, xanchor="left", y=top)
    return notes
