import pytest

from remamber.errors import UserError
from remamber.figures import Estimate, FigureData, Series, draw
from remamber.figures._style import COLOURS, style_of
from remamber.registry import FIGURES

CURVES = {
    "loss": (((1.0, 2.0), (2.0, 1.0), (3.0, 0.5)),),
    "val mIoU": (((2.0, 0.2), (3.0, 0.3)),),
}
SERIES = (
    Series(
        index=0,
        label="Low",
        by_split={"val": Estimate(0.30, 0.28, 0.33), "testA": Estimate(0.31)},
        difference=Estimate(-0.10, -0.13, -0.07),
        curves=CURVES,
    ),
    Series(index=1, label="Not run"),
    Series(
        index=2,
        label="High",
        by_split={"val": Estimate(0.40, 0.38, 0.43)},
        difference=Estimate(0.0, 0.0, 0.0),
        best=True,
        curves=CURVES,
    ),
)


def data(series=SERIES, **more):
    return FigureData(
        title="T",
        split="val",
        metric="mIoU",
        series=series,
        percent=lambda x: f"{100 * x:.1f}",
        **more,
    )


@pytest.mark.parametrize("kind", FIGURES.names())
def test_every_figure_has_an_alternative_text_from_the_data(kind):
    alt = draw(kind, data()).layout.meta["alt"]
    assert "Low" in alt
    assert "High" in alt
    assert "Not run" not in alt


@pytest.mark.parametrize("kind", FIGURES.names())
@pytest.mark.parametrize("series", [(), (Series(index=0, label="Not run"),)])
def test_every_figure_says_why_it_is_empty(kind, series):
    figure = draw(kind, data(series))
    assert len(figure.data) == 0
    assert figure.layout.annotations[0].text in figure.layout.meta["alt"]


@pytest.mark.parametrize("kind", FIGURES.names())
def test_a_row_has_one_colour_in_all_figures_whoever_else_is_shown(kind):
    for trace in draw(kind, data()).data:
        series = next(s for s in SERIES if s.label == trace.name)
        colour = trace.line.color or trace.marker.color
        assert colour == COLOURS[series.index]


def test_twenty_rows_can_be_told_apart():
    assert len({style_of(i) for i in range(20)}) == 20


def test_the_forest_puts_the_best_row_on_top_at_zero():
    traces = draw("forest", data()).data
    assert traces[-1].name == "High"
    assert traces[-1].x == (0.0,)
    assert traces[0].x == pytest.approx((-10.0,))
    assert traces[0].error_x.array[0] == pytest.approx(3.0)
    assert traces[0].error_x.arrayminus[0] == pytest.approx(3.0)


def test_the_forest_marks_what_cannot_be_told_apart_in_words():
    tied = Series(index=1, label="Near", difference=Estimate(-0.01, -0.03, 0.01), tied=True)
    figure = draw("forest", data((SERIES[2], tied)))
    assert figure.data[0].y == ("Near †",)
    assert "not distinguishable" in figure.layout.meta["alt"]


def test_intervals_show_floor_and_ceiling_as_lines():
    figure = draw(
        "intervals",
        data(floors={"val": ("the floor", 0.2)}, ceilings={"val": ("the ceiling", 0.9)}),
    )
    lines = {trace.name: trace.y for trace in figure.data if trace.mode == "lines"}
    assert lines["the floor"][:2] == (20.0, 20.0)
    assert lines["the ceiling"][:2] == (90.0, 90.0)
    assert "the floor 20.0" in figure.layout.meta["alt"]


def test_curves_are_means_over_seeds():
    two = (((1.0, 1.0), (2.0, 2.0)), ((1.0, 3.0), (2.0, 4.0)))
    figure = draw("curves", data((Series(index=0, label="Low", curves={"loss": two}),)))
    assert figure.data[0].y == (2.0, 3.0)


def test_long_curves_are_thinned_and_keep_their_ends():
    loss = (tuple((float(i), 1.0 / i) for i in range(1, 5001)),)
    figure = draw("curves", data((Series(index=0, label="Low", curves={"loss": loss}),)))
    x = figure.data[0].x
    assert len(x) <= 300
    assert (x[0], x[-1]) == (1.0, 5000.0)


def test_an_unknown_figure_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="unknown figure 'forrest'") as refused:
        draw("forrest", data())
    assert "forest" in refused.value.fix[0]
