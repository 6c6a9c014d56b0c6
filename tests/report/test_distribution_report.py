"""A distribution report: verdict, tables, notes and figures from records that were never run."""

import json

import numpy as np
import pytest
from simulated_distribution import (
    NOISE,
    distribution_analysis,
    distribution_runs,
    distribution_spec,
    distribution_store,
)

import remamber.report.pictures
from remamber.errors import ExitCode, UserError
from remamber.figures import Cloud, FigureData, draw
from remamber.report import render_study
from remamber.table.distribution import TapName, Told, build_distribution, mean_of
from remamber.table.distribution_layout import NEIGHBOURS, mean_change
from remamber.tasks._arrays import packed_arrays

MOST_BYTES = 1_500_000


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setattr(remamber.report.pictures, "find_browser", lambda: None)


def rendered(store, runs, out):
    return render_study(distribution_analysis(), runs, store=store, out=out)


def cells(document, name):
    table = next(t for t in document.tables if t.name == name)
    return {
        (row.label, column.name): cell
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
    }


def test_the_verdict_is_made_from_the_data(tmp_path):
    store, runs = distribution_store(tmp_path / "runs")
    verdict = rendered(store, runs, tmp_path).document.verdict
    assert verdict.startswith("Channel-Spatial: in the cube the text lies on a line (100.0 %")
    assert "after the channel scan it does not lie on a line (90.0 %" in verdict
    assert "80.0 % [79" in verdict
    assert "after the channel scan image and text are nearer to each other (−10.0 points" in verdict
    assert "more than before training (−5.0 points" in verdict
    assert "after the spatial scan image and text are further apart (+10.0 points" in verdict


def test_a_change_is_paired_by_resample(tmp_path):
    """The noise that two places share cancels: half of it is left, not more than one has."""
    store, runs = distribution_store(tmp_path / "runs")
    look = build_distribution({}, runs, store).variants[0].trained
    change = mean_change(look, NEIGHBOURS, "after channel scan")
    assert change.value == pytest.approx(-0.1)
    assert np.std(change.draws) == pytest.approx(NOISE / 2, rel=0.2)
    assert change.sign == -1


def test_without_a_control_nothing_is_said_of_it(tmp_path):
    store, runs = distribution_store(tmp_path / "runs", distribution_spec())
    document = rendered(store, runs, tmp_path).document
    assert "before training" not in document.verdict
    found = cells(document, "changes")
    assert found["after channel scan", "Own neighbours beyond untrained"].value is None


def test_the_control_stands_beside_every_number(tmp_path):
    store, runs = distribution_store(tmp_path / "runs")
    document = rendered(store, runs, tmp_path).document
    taps = cells(document, "taps-1")
    tap = "stage 2 layer 1 after channel scan"
    assert taps[tap, "Own neighbours trained"].value == pytest.approx(0.7)
    assert taps[tap, "Own neighbours untrained"].value == pytest.approx(0.75)
    assert taps[tap, "Own neighbours trained"].low < 0.7
    changes = cells(document, "changes")
    assert changes["after channel scan", "Own neighbours beyond untrained"].value == pytest.approx(
        -0.05
    )


def test_several_models_are_told_apart_by_their_weights(tmp_path):
    specs = [distribution_spec(weights=w, trained=t) for w in "ab" for t in (True, False)]
    store, runs = distribution_store(tmp_path / "runs", *specs)
    names = {spec.run_id: ("one" if "a" in spec.weights.sha256 else "two") for spec in specs}
    document = rendered(store, runs.model_copy(update={"trained": names}), tmp_path).document
    rows = next(t for t in document.tables if t.name == "results").rows
    assert [r.label for r in rows] == [
        "one, trained", "one, untrained", "two, trained", "two, untrained",
    ]  # fmt: skip
    assert "one: in the cube" in document.verdict and "two: 80.0 %" in document.verdict


def test_the_read_position_compares_centroids(tmp_path):
    store, runs = distribution_store(tmp_path / "runs", distribution_spec(point="position"))
    verdict = rendered(store, runs, tmp_path).document.verdict
    assert "a hyperplane tells image from text in 60.0 %" in verdict
    assert "centroids are 0.10" in verdict and "lies on a line" not in verdict


def test_what_is_synthetic_by_construction_or_by_choice_is_said(tmp_path):
    store, runs = distribution_store(tmp_path / "runs")
    document = rendered(store, runs, tmp_path).document
    notes = " ".join(document.notes)
    assert "lies on one line by construction" in notes
    assert "a choice of this report" in notes
    assert document.banner.startswith("Synthetic data")
    assert "500 expressions on 300 images" in document.condition


def test_a_run_without_a_record_is_named(tmp_path):
    store, _ = distribution_store(tmp_path / "runs", distribution_spec())
    missing = distribution_spec(trained=False)
    runs = distribution_runs(distribution_spec(), missing)
    notes = rendered(store, runs, tmp_path).document.notes
    assert any(missing.run_id in note for note in notes)


def test_no_record_at_all_is_a_report_that_says_so(tmp_path):
    store, _ = distribution_store(tmp_path / "runs", distribution_spec())
    runs = distribution_runs(distribution_spec(weights="c"))
    document = rendered(store, runs, tmp_path).document
    assert document.verdict == "No run has left features, so nothing can be said."


def test_a_model_that_lacks_every_tap_asked_for_is_said_to_have_shown_nothing(tmp_path):
    lacking, whole = distribution_spec(weights="b"), distribution_spec()
    store, runs = distribution_store(tmp_path / "runs", lacking, whole)
    record = next(r for r in store.records() if r.run_id == lacking.run_id)
    store.write_record(
        record.model_copy(
            update={"measurements": (), "warnings": ("this model has no tap 'stage 9'",)}
        ),
        arrays=packed_arrays({"similarity": np.eye(0, dtype=np.float32)}),
    )
    alone = rendered(store, distribution_runs(lacking), tmp_path / "alone").document
    assert alone.verdict == (
        "Channel-Spatial has none of the taps that were asked for: nothing was looked at."
    )
    assert [(t.name, t.rows) for t in alone.tables] == [("results", ())]
    assert alone.pictures == ()
    assert any("no tap 'stage 9'" in note for note in alone.notes)
    both = rendered(store, runs, tmp_path / "both").document
    assert "nothing was looked at. Channel-Spatial: " in both.verdict
    assert len(both.tables[0].rows) == len(both.pictures) == 1


def test_damaged_arrays_are_refused(tmp_path):
    store, runs = distribution_store(tmp_path / "runs", distribution_spec())
    record = store.records()[0]
    plain = record.model_copy(update={"arrays": None, "arrays_sha256": None})
    store.write_record(plain)
    with pytest.raises(UserError, match="are missing") as error:
        rendered(store, runs, tmp_path)
    assert error.value.exit_code is ExitCode.DAMAGED


def test_the_results_file_and_the_page_hold_the_same(tmp_path):
    store, runs = distribution_store(tmp_path / "runs")
    report = rendered(store, runs, tmp_path)
    content = json.loads(report.paths["json"].read_text())
    assert content["verdict"] == report.document.verdict
    assert content["choice"]["point"] == "channel"
    page = report.paths["html"].read_text()
    for picture in report.document.pictures:
        assert f'id="{picture.slug}"' in page and picture.title in page


def clouds(n=1024, groups=("Image", "Text", "Local"), stages=4):
    generator = np.random.default_rng(0)
    return tuple(
        Cloud(place, f"stage {stage} layer 1", group,
              generator.normal(size=(n, 3)).astype(np.float32), (0.5, 0.2, 0.1))
        for stage in range(1, stages + 1)
        for place in ("cube", "after channel scan", "after spatial scan")
        for group in groups
    )  # fmt: skip


def figure(found, panels=("cube", "after channel scan", "after spatial scan")):
    data = FigureData(
        title="T", split="val", metric="", series=(), panels=panels, clouds=found, percent=str
    )
    return draw("distribution", data)


def test_the_largest_figure_stays_below_a_megabyte_and_a_half():
    assert len(figure(clouds()).to_json()) < MOST_BYTES


def test_one_stage_is_shown_at_a_time_and_each_group_named_once():
    drawn = figure(clouds(20))
    shown = [t for t in drawn.data if t.visible]
    assert len(shown) == 9 and len(drawn.data) == 36
    assert sorted(t.name for t in drawn.data if t.showlegend) == ["Image", "Local", "Text"]
    for button in drawn.layout.updatemenus[0].buttons:
        visible, legend = button.args[0]["visible"], button.args[0]["showlegend"]
        assert sum(visible) == 9
        named = [t.name for t, v, s in zip(drawn.data, visible, legend, strict=True) if v and s]
        assert sorted(named) == ["Image", "Local", "Text"]


def test_groups_differ_in_marker_and_not_in_colour_alone():
    drawn = figure(clouds(20, groups=("Image", "Text", "Local", "Fused"), stages=1))
    looks = {(t.marker.color, t.marker.symbol) for t in drawn.data}
    assert len({c for c, _ in looks}) == len({s for _, s in looks}) == 4


def test_a_place_that_a_stage_lacks_is_said_and_its_panel_stays():
    found = [c for c in clouds(20, stages=2) if (c.choice, c.panel) != ("stage 2 layer 1", "cube")]
    drawn = figure(tuple(found))
    words = drawn.layout.updatemenus[0].buttons[1].args[1]
    assert "not in this stage" in words["annotations[0].text"]


def test_on_a_telephone_the_panels_stand_below_each_other():
    narrow = figure(clouds(20)).layout.meta["narrow"]
    tops = [narrow[scene]["domain"]["y"] for scene in ("scene", "scene2", "scene3")]
    assert tops[0][0] > tops[1][1] > tops[1][0] > tops[2][1]
    assert narrow["height"] > 900 and len(narrow["annotations"]) == 3


def test_the_alternative_text_tells_places_groups_and_variance():
    alt = figure(clouds(20, stages=1)).layout.meta["alt"]
    assert "Points of image, local, text on the first three principal axes" in alt
    assert "stage 1 layer 1: cube 80 %, " in alt


def test_a_taps_name_is_read_in_its_parts():
    assert TapName.of("stage 3 layer 2 after channel scan") == (
        "stage 3 layer 2 after channel scan", 3, "layer 2", "after channel scan",
    )  # fmt: skip
    assert TapName.of("stage 1 before gating").place == "before gating"


def test_a_number_that_some_resamples_lack_keeps_its_interval():
    draws = np.array([np.nan, *np.linspace(0, 1, 101)])
    told = Told.of(0.5, draws)
    assert told.low == pytest.approx(0.025) and told.high == pytest.approx(0.975)
    assert mean_of([]) is None
