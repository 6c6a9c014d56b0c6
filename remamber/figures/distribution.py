"""Principal components of image and text at the taps of a layer (Fig. 5), stage by stage."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from remamber.figures import Cloud, FigureData
from remamber.figures._style import empty, finish
from remamber.registry import FIGURES

register = FIGURES.register

_LOOKS = {
    "Image": ("#D55E00", "circle"),
    "Text": ("#0072B2", "diamond"),
    "Local": ("#009E73", "square"),
    "Fused": ("#7F7F7F", "x"),
}
"""Colour and marker of a group: the paper's red image and blue text, and two more."""
_OTHER = ("#CC79A7", "cross")
_SIZE = {"circle": 2.2, "diamond": 2.2, "square": 2.0, "x": 1.6, "cross": 1.6}
_TOP, _HEAD, _LEGEND, _SIDE = 96, 44, 40, 340
"""Pixels above the panels, of a panel's heading, below the panels, and of a panel."""
_CAMERA = {"eye": {"x": 2.0, "y": 2.0, "z": 1.03}, "center": {"x": 0, "y": 0, "z": -0.05}}


@register("distribution")
def distribution(data: FigureData) -> go.Figure:
    """A 3-D panel for every place; one stage and layer at a time, chosen from a list."""
    # The text last, where it is drawn over the larger clouds.
    clouds = sorted((c for c in data.clouds if len(c.points)), key=lambda c: c.group == "Text")
    if not clouds:
        return empty(data, why="no features that vary were recorded")
    panels = [p for p in data.panels if any(c.panel == p for c in clouds)]
    choices = list(dict.fromkeys(cloud.choice for cloud in data.clouds if len(cloud.points)))
    figure = go.Figure()
    named: set[str] = set()
    for cloud in clouds:
        figure.add_trace(_trace(cloud, panels, choices, named=cloud.group in named))
        named.add(cloud.group)
    height = _TOP + _HEAD + _SIDE + _LEGEND
    figure = finish(figure, data, alt=_alt(clouds, panels, choices), height=height)
    wide, narrow = _wide(panels), _narrow(panels)
    narrow["annotations"] = _headings(clouds, panels, choices[0], narrow)
    figure.update_layout(
        **wide,
        margin={"l": 8, "r": 8, "t": _TOP, "b": _LEGEND},
        annotations=_headings(clouds, panels, choices[0], wide),
        updatemenus=[_menu(clouds, panels, choices)],
        legend={
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        meta={**figure.layout.meta, "narrow": narrow},
    )
    return figure


def _trace(
    cloud: Cloud, panels: Sequence[str], choices: Sequence[str], *, named: bool
) -> go.Scatter3d:
    colour, symbol = _LOOKS.get(cloud.group, _OTHER)
    x, y, z = cloud.points.T.astype("float32")
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        scene=_scene(panels.index(cloud.panel)),
        mode="markers",
        name=cloud.group,
        legendgroup=cloud.group,
        showlegend=not named,
        visible=cloud.choice == choices[0],
        marker={"color": colour, "symbol": symbol, "size": _SIZE[symbol], "opacity": 0.6},
        hovertemplate=f"%{{x:.3g}}, %{{y:.3g}}, %{{z:.3g}}<extra>{cloud.group}</extra>",
    )


def _scene(place: int) -> str:
    return "scene" if place == 0 else f"scene{place + 1}"


def _axes(domain: dict[str, list[float]]) -> dict[str, Any]:
    def axis(title: str) -> dict[str, Any]:
        return {
            "title": {"text": title, "font": {"size": 11}},
            "showticklabels": False,
            "nticks": 5,
        }

    return {
        "domain": domain,
        "aspectmode": "cube",
        "camera": _CAMERA,
        **{f"{name}axis": axis(f"PC{i}") for i, name in enumerate("xyz", start=1)},
    }


def _wide(panels: Sequence[str]) -> dict[str, Any]:
    """Panels in a row, below their headings."""
    number, gap, top = len(panels), 0.02, _SIDE / (_SIDE + _HEAD)
    width = (1 - gap * (number - 1)) / number
    return {
        _scene(i): _axes({"x": [i * (width + gap), i * (width + gap) + width], "y": [0, top]})
        for i in range(number)
    }


def _narrow(panels: Sequence[str]) -> dict[str, Any]:
    """The same below each other, for a screen as wide as a telephone's."""
    number = len(panels)
    block = _SIDE * 0.85 + _HEAD
    height = number * block
    layout: dict[str, Any] = {"height": round(_TOP + height + _LEGEND)}
    for i in range(number):
        top = 1 - i / number - _HEAD / height
        layout[_scene(i)] = _axes({"x": [0, 1], "y": [1 - (i + 1) / number, top]})
    return layout


def _headings(
    clouds: Sequence[Cloud], panels: Sequence[str], choice: str, layout: dict[str, Any]
) -> list[dict[str, Any]]:
    """Each panel's place and the shares of variance on its axes, above it."""
    found = []
    for i, panel in enumerate(panels):
        of_panel = (c for c in clouds if c.panel == panel and c.choice == choice)
        shares = next((c.shares for c in of_panel), ())
        said = ", ".join(f"PC{k} {100 * s:.0f} %" for k, s in enumerate(shares, start=1))
        domain = layout[_scene(i)]["domain"]
        found.append(
            {
                "text": f"<b>{panel}</b><br>{said or 'not in this stage'}",
                "x": domain["x"][0],
                "y": domain["y"][1],
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "align": "left",
                "showarrow": False,
            }
        )
    return found


def _menu(clouds: Sequence[Cloud], panels: Sequence[str], choices: Sequence[str]) -> dict[str, Any]:
    buttons = []
    for choice in choices:
        shown = [cloud.choice == choice for cloud in clouds]
        first = {c.group: i for i, c in reversed(list(enumerate(clouds))) if c.choice == choice}
        legend = [i in first.values() for i in range(len(clouds))]
        texts = _headings(clouds, panels, choice, _wide(panels))
        words = {f"annotations[{i}].text": note["text"] for i, note in enumerate(texts)}
        buttons.append(
            {
                "label": choice,
                "method": "update",
                "args": [{"visible": shown, "showlegend": legend}, words],
            }
        )
    return {
        "buttons": buttons,
        "direction": "down",
        "showactive": True,
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "pad": {"b": 8},
    }


def _alt(clouds: Sequence[Cloud], panels: Sequence[str], choices: Sequence[str]) -> str:
    said = []
    for choice in choices:
        parts = []
        for panel in panels:
            own = [c for c in clouds if c.panel == panel and c.choice == choice]
            if own:
                parts.append(f"{panel} {100 * sum(own[0].shares):.0f} %")
        said.append(f"{choice}: {', '.join(parts)}")
    groups = ", ".join(dict.fromkeys(c.group.lower() for c in clouds))
    return (
        f"Points of {groups} on the first three principal axes, and the share of the variance that"
        f" these hold. {'. '.join(said)}."
    )
