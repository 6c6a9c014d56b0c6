"""How figures lie on a wide page and on a telephone."""

import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from remamber.figures import Estimate, FigureData, Series, draw
from remamber.figures._screens import fit, legend_lines

LONG = "A row with rather a long name"


def figure(rows, *, panels=1):
    drawn = make_subplots(
        rows=1, cols=panels, shared_yaxes=True, subplot_titles=["P", "Q"][:panels]
    )
    for panel in range(1, panels + 1):
        for row in range(rows):
            trace = go.Scatter(x=[1], y=[row], name=f"{LONG} {row}", showlegend=panel == 1)
            drawn.add_trace(trace, row=1, col=panel)
    drawn.update_yaxes(title_text="score", row=1, col=1)
    drawn.update_layout(margin={"l": 10, "r": 16}, meta={"alt": "words"})
    fit(drawn, plot=300, top=50)
    return drawn


def inner(layout, bottom):
    return layout["height"] - layout["margin"]["t"] - bottom


@pytest.mark.parametrize("rows", [1, 5, 20])
def test_no_legend_takes_height_from_the_panel(rows):
    layout = figure(rows).layout
    assert inner(layout, layout.margin.b) == 300
    narrow = layout.meta["narrow"]
    assert inner(narrow, narrow["margin"]["b"]) == 300
    assert narrow["margin"]["b"] >= 20 * rows  # on a telephone each entry has its own line
    assert layout.legend.maxheight == 1  # or half of it gets a scroll bar


def test_a_legend_of_few_short_names_takes_one_line():
    drawn = go.Figure([go.Scatter(name="Low"), go.Scatter(name="High"), go.Scatter(name="High")])
    assert legend_lines(drawn, 320) == 1
    assert legend_lines(drawn.update_layout(showlegend=False), 320) == 0


def test_panels_in_a_row_stand_below_each_other_on_a_telephone():
    layout = figure(2, panels=2).layout
    assert layout.xaxis.domain[1] < layout.xaxis2.domain[0]
    narrow = layout.meta["narrow"]
    assert [narrow[axis]["domain"] for axis in ("xaxis", "xaxis2")] == [[0, 1], [0, 1]]
    upper, lower = narrow["yaxis"]["domain"], narrow["yaxis2"]["domain"]
    assert upper[0] > lower[1] and lower[0] > 0 and upper[1] <= 1
    heights = [inner(narrow, narrow["margin"]["b"]) * (b - a) for a, b in (upper, lower)]
    assert heights == pytest.approx([260, 260])
    assert narrow["yaxis2"]["showticklabels"]
    assert narrow["yaxis2"]["title"]["text"] == "score"
    headings = [(note["text"], note["x"], note["y"]) for note in narrow["annotations"]]
    assert headings == [("P", 0, upper[1]), ("Q", 0, lower[1])]


def test_the_alternative_text_stays_beside_the_narrow_layout():
    assert figure(2).layout.meta["alt"] == "words"


def test_the_forests_axis_is_named_in_two_lines_on_a_telephone():
    series = tuple(
        Series(index=i, label=label, difference=Estimate(-i / 10), best=i == 0)
        for i, label in enumerate(["Best", LONG])
    )
    told = FigureData(title="T", split="val", metric="mIoU", series=series, percent=str)
    layout = draw("forest", told).layout
    assert layout.xaxis.title.text == "val mIoU minus best (points)"
    narrow = layout.meta["narrow"]["xaxis"]["title"]["text"]
    assert max(map(len, narrow.split("<br>"))) <= 20
