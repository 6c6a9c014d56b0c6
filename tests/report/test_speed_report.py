"""A speed report: verdict, notes and figures from records that were never timed."""

import json

import pytest
from simulated_speed import (
    KEYS,
    speed_analysis,
    speed_record,
    speed_runs,
    speed_spec,
    speed_store,
)

import remamber.report.pictures
from remamber.figures import Estimate, FigureData, Reading, Series, draw
from remamber.record.store import Store
from remamber.report import format as fmt
from remamber.report import render_study

SUBJECT, RIVAL = KEYS


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setattr(remamber.report.pictures, "find_browser", lambda: None)


def rendered(store, runs, out):
    return render_study(speed_analysis(), runs, store=store, out=out)


def test_the_verdict_is_made_from_the_data(tmp_path):
    store, runs = speed_store(tmp_path / "runs")
    document = rendered(store, runs, tmp_path).document
    assert document.verdict.startswith("remamber takes, of the time of lavt, 0.31×")
    assert "at 256 px (faster)" in document.verdict
    assert "Time grows with pixels to the power of 1.00" in document.verdict
    assert "holds here (faster in 2 of 2 groups, smaller in 3 of 3)" in document.verdict
    assert "Out of memory: lavt at 1024 px." in document.verdict


def test_a_claim_that_fails_at_one_size_does_not_hold(tmp_path):
    store = Store(tmp_path / "runs")
    specs = [speed_spec(256), speed_spec(512)]
    store.write_record(speed_record(specs[0]))
    record = speed_record(specs[1])
    names = (f"{SUBJECT} iteration wall", f"{RIVAL} iteration wall")
    swapped = {
        **record.curves,
        names[0]: record.curves[names[1]],
        names[1]: record.curves[names[0]],
    }
    store.write_record(record.model_copy(update={"curves": swapped}))
    verdict = rendered(store, speed_runs(*specs), tmp_path).document.verdict
    assert "does not hold here (faster in 1 of 2 groups" in verdict


def test_too_few_rounds_decide_nothing(tmp_path):
    store, spec = Store(tmp_path / "runs"), speed_spec(256)
    record = speed_record(spec)
    few = {name: curve[:3] for name, curve in record.curves.items()}
    store.write_record(record.model_copy(update={"curves": few, "measurements": ()}))
    verdict = rendered(store, speed_runs(spec), tmp_path).document.verdict
    assert "(unresolved)" in verdict and "is not decided here" in verdict


def test_nothing_measured_says_so(tmp_path):
    store = Store(tmp_path / "runs")
    spec = speed_spec(256)
    document = rendered(store, speed_runs(spec), tmp_path).document
    assert document.verdict == "No group was measured, so nothing can be said."
    assert any("1 of 1 runs have no record yet" in note for note in document.notes)


def test_a_machine_that_others_used_is_the_first_note(tmp_path):
    store, spec = Store(tmp_path / "runs"), speed_spec(256)
    record = speed_record(spec)
    busy = tuple(
        m.model_copy(update={"value": 2.5}) if m.metric == "others_cores" else m
        for m in record.measurements
    )
    store.write_record(record.model_copy(update={"measurements": busy}))
    document = rendered(store, speed_runs(spec), tmp_path).document
    assert document.notes[0].startswith("Caution: other processes computed")
    assert "256 px (2.5 of 4 cores)" in document.notes[0]


def test_the_files_hold_every_cell_and_the_curves(tmp_path):
    store, runs = speed_store(tmp_path / "runs")
    report = rendered(store, runs, tmp_path)
    results = json.loads(report.paths["json"].read_text())
    assert results["models"][RIVAL] == "lavt"
    assert {"time", "model-memory", "growth", "details"} == set(results["tables"])
    assert "OOM" in report.paths["md"].read_text()
    assert [p.slug for p in report.document.pictures] == ["1-scaling", "2-scaling"]
    assert "lavt out of memory from 1024 px" in report.document.pictures[0].alt
    assert "exponent 1.00" in report.document.pictures[0].alt


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_terminal_never_overflows(tmp_path, width):
    store, runs = speed_store(tmp_path / "runs")
    text = rendered(store, runs, tmp_path).terminal(color=False, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "1024 px" in text and "OOM" in text and "Exponent of" in text


def series(index, label, cost, score):
    return Series(index=index, label=label, cost=cost, by_split={"val": Estimate(score)})


def data(*rows, metric="time"):
    return FigureData(title="t", split="val", metric=metric, series=rows, percent=fmt.percent)


def test_the_front_holds_what_nothing_beats_in_both():
    rows = [
        series(0, "cheap", 0.1, 0.3),
        series(1, "best", 0.4, 0.5),
        series(2, "beaten", 0.3, 0.2),
        series(3, "middle", 0.2, 0.4),
    ]
    figure = draw("pareto", data(*rows))
    assert figure.layout.meta["alt"].endswith("Front: cheap, middle, best.")
    assert list(figure.data[0].x) == pytest.approx([100, 200, 400])


def test_without_accuracy_the_front_says_so():
    figure = draw("pareto", data(Series(index=0, label="a", cost=0.1)))
    assert "no accuracy of these models" in figure.layout.meta["alt"]


def test_a_model_that_did_not_fit_is_marked_above_all_values():
    rows = [
        Series(index=0, label="a", readings=(Reading(256, "", 0.1), Reading(512, "", 0.4))),
        Series(
            index=1, label="b", readings=(Reading(256, "", 0.2), Reading(512, "", None, lost=True))
        ),
    ]
    figure = draw("scaling", data(*rows))
    lost = next(trace for trace in figure.data if trace.marker.symbol == "x")
    assert list(lost.x) == [512] and lost.y[0] > 400
    assert "b out of memory from 512 px" in figure.layout.meta["alt"]
