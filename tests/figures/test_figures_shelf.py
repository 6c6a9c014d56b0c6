import numpy as np
import pytest

from remamber.errors import UserError
from remamber.figures import Estimate, FigureData, Point, Reading, Roofs, Series, draw
from remamber.figures._style import COLOURS, REFERENCE, style_of
from remamber.registry import FIGURES

CURVES = {
    "loss": (((1.0, 2.0), (2.0, 1.0), (3.0, 0.5)),),
    "val mIoU": (((2.0, 0.2), (3.0, 0.3)),),
}
POINTS = (
    Point("s1", "Forward", 0.8, 4e9, 0.002, Estimate(100.0, 90.0, 110.0)),
    Point("s1", "Backward", 1.1, 2e9, 0.006, Estimate(80.0)),
)
ENERGY = np.array([[0, 0, 0, 1], [0, 4, 2, 0], [0, 2, 1, 0], [0, 0, 0, 0]], dtype=np.float32)
READINGS = (Reading(256, "", 0.1, 0.09, 0.12), Reading(512, "", None, lost=True))
SERIES = (
    Series(
        index=0,
        label="Low",
        by_split={"val": Estimate(0.30, 0.28, 0.33), "testA": Estimate(0.31)},
        difference=Estimate(-0.10, -0.13, -0.07),
        curves=CURVES,
        points=POINTS,
        readings=READINGS,
        growth={"": Estimate(1.1)},
        by_slice={"length": {"short": Estimate(0.3, 0.2, 0.4), "long": Estimate(0.2)}},
        cost=0.1,
        by_map={"stage 1": Estimate(0.1, 0.05, 0.2), "logits": Estimate(0.3)},
        energy={"stage 1": ENERGY, "logits": ENERGY.T},
    ),
    Series(index=1, label="Not run"),
    Series(
        index=2,
        label="High",
        by_split={"val": Estimate(0.40, 0.38, 0.43)},
        difference=Estimate(0.0, 0.0, 0.0),
        best=True,
        curves=CURVES,
        points=POINTS[:1],
        readings=READINGS[:1],
        by_slice={"length": {"short": Estimate(0.4, 0.3, 0.5)}, "area": {"small": Estimate(0.1)}},
        cost=0.3,
        by_map={"stage 1": Estimate(0.2, 0.1, 0.3)},
        energy={"stage 1": 2 * ENERGY},
        control=True,
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


OTHERS = ("distribution", "energy", "maps", "radius", "receptive")
OF_ROWS = [kind for kind in FIGURES.names() if kind not in OTHERS]
"""The figures whose lines and marks are the rows of a study."""


@pytest.mark.parametrize("kind", OF_ROWS)
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


@pytest.mark.parametrize("kind", [kind for kind in OF_ROWS if kind != "receptive"])
def test_a_row_has_one_colour_in_all_figures_whoever_else_is_shown(kind):
    for trace in draw(kind, data()).data:
        series = next((s for s in SERIES if s.label == trace.name), None)
        colour = trace.line.color or trace.marker.color
        # What is no row's is grey.
        assert colour == (COLOURS[series.index] if series is not None else REFERENCE)


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


def test_the_roof_is_the_bandwidth_up_to_the_peak_and_flat_from_there():
    figure = draw("roofline", data(roofs=Roofs(bandwidth=30e9, peak=300e9)))
    roof = next(t for t in figure.data if t.mode == "lines")
    low, ridge, end = roof.x
    assert ridge == 10.0 and end > ridge
    assert roof.y == (pytest.approx(low * 30), 300.0, 300.0)
    assert "The roof: 30 GB/s and 300 GFLOP/s, both measured." in figure.layout.meta["alt"]


def test_points_of_one_intensity_stand_side_by_side_and_keep_their_value():
    figure = draw("roofline", data())
    forward = [t for t in figure.data if t.customdata is not None and t.xaxis in (None, "x2")]
    assert len({t.x[0] for t in forward}) == len(forward)
    assert all(t.customdata[0][1] in (0.8, 1.1) for t in figure.data)


def test_speedups_have_the_first_shape_on_top_and_intervals_where_there_are_any():
    figure = draw("speedups", data())
    assert tuple(figure.layout.yaxis.categoryarray) == ("s1",)
    by_panel = {t.x[0]: t.error_x for t in figure.data if t.name == "Low"}
    assert (by_panel[100.0].array[0], by_panel[100.0].arrayminus[0]) == (10.0, 10.0)
    assert by_panel[80.0].array[0] == 0.0


def test_slices_stand_in_their_panels_and_one_of_few_images_has_no_bar():
    figure = draw("slices", data())
    assert [a.text for a in figure.layout.annotations] == ["length", "area"]
    low = next(t for t in figure.data if t.name == "Low")
    assert low.x == pytest.approx((30.0, 20.0))
    assert low.error_x.array == pytest.approx((10.0, 0.0))
    assert tuple(figure.layout.yaxis.ticktext) == ("short", "long")
    assert "short 30.0 to 40.0, long 20.0" in figure.layout.meta["alt"]
    assert [t.name for t in figure.data if t.showlegend] == ["Low", "High"]


def test_a_radius_is_drawn_with_its_interval_and_initial_weights_are_hollow():
    low, high = draw("radius", data()).data
    assert low.y == pytest.approx((10.0, 30.0))
    assert low.error_y.array == pytest.approx((10.0, 0.0))
    assert low.error_y.arrayminus == pytest.approx((5.0, 0.0))
    assert (high.line.dash, high.marker.symbol.endswith("-open")) == ("dot", True)
    assert low.line.dash != "dot"


def test_fields_share_one_logarithmic_scale_of_each_brightest_cell():
    figure = draw("receptive", data())
    assert len(figure.data) == 3
    for panel in figure.data:
        assert np.max(panel.z) == 0
        assert np.min(panel.z) == figure.layout.coloraxis.cmin == -5
    assert figure.data[0].z[1][2] == pytest.approx(np.log10(0.5))
    assert "Low: stage 1 90 %" in figure.layout.meta["alt"]


def test_an_unknown_figure_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="unknown figure 'forrest'") as refused:
        draw("forrest", data())
    assert "forest" in refused.value.fix[0]
