"""A study over several data sets: its columns stand by data set, its rows are compared in each."""

import csv
import io
import json

import pytest
from simulated_study import SKILL, Simulated, add_bounds, add_run, scans_analysis, simulated_study

from remamber.plan.question import load_analysis
from remamber.plan.study import studies_folder
from remamber.record.store import Store
from remamber.report import pictures, render_study

SLICED = 4
"""Ways of dividing the simulated expressions that leave two slices or more."""

PAPER = {"refcoco": "RefCOCO", "refcoco+": "RefCOCO+", "refcocog": "G-Ref"}
LABELS = ("Attention", "In-Context", "Adaptation", "Mamba Twister")


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setattr(pictures, "find_browser", lambda: None)


def several(root, names=tuple(PAPER), images=20):
    """Every ordering on every data set; on the last, the best and the worst change places."""
    study = Simulated(Store(root), scans_analysis())
    bounds = []
    for number, name in enumerate(names):
        skill = dict(SKILL)
        if number == len(names) - 1:
            skill |= {"channel": SKILL["channel-spatial"], "channel-spatial": SKILL["channel"]}
        for order in skill:
            add_run(study, order, skill=skill[order], images=images, data=name)
        bounds.append(add_bounds(study, data=name).run_id)
    return study, study.runs.model_copy(update={"bounds_ids": tuple(bounds)})


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    out = tmp_path_factory.mktemp("several")
    study, runs = several(out / "runs")
    analysis = load_analysis(studies_folder("analysis") / "fusion.toml")
    labels = dict(zip(SKILL, analysis.table.labels.values(), strict=False))
    table = analysis.table.model_copy(update={"rows": "model.fusion.scan_order", "labels": labels})
    analysis = analysis.model_copy(update={"table": table})
    runs = runs.model_copy(
        update={"run_ids": tuple(i for i in runs.run_ids if "-channel-s" not in i)}
    )
    return render_study(analysis, runs, store=study.store, out=out / "reports")


def test_columns_stand_by_data_set_and_the_papers_value_is_that_data_sets(rendered):
    table = rendered.document.tables[0]
    assert list(dict.fromkeys(c.dataset for c in table.columns)) == list(PAPER.values())
    places = [i for i, c in enumerate(table.columns) if (c.group, c.label) == ("val", "mIoU")]
    attention = [row for row in table.rows if row.label == "Attention"][0]
    assert [attention.cells[i].published for i in places] == [0.653, 0.540, 0.505]


def test_every_data_set_has_its_own_best_row(rendered):
    table = rendered.document.tables[0]
    for dataset in PAPER.values():
        (column,) = [i for i, c in enumerate(table.columns) if c.name == f"{dataset} val mIoU"]
        assert sum(row.cells[column].best for row in table.rows) == 1
    verdict = rendered.document.verdict
    assert [verdict.index(f"{name}: ") for name in PAPER.values()] == sorted(
        verdict.index(f"{name}: ") for name in PAPER.values()
    )


def test_rows_are_compared_within_a_data_set(rendered):
    found = rendered.results["datasets"]
    assert list(found) == list(PAPER.values())
    for one in found.values():
        assert set(one["p_values"]["val"]["mIoU"]) == set(LABELS)
        assert one["splits"]["val"]["images"] == 20
    assert not any("Caution: the rows differ in data" in n for n in rendered.document.notes)


def test_every_format_names_the_data_set_of_a_number(rendered):
    lines = list(csv.DictReader(io.StringIO(rendered.paths["csv"].read_text(encoding="utf-8"))))
    assert {f"{name} val" for name in PAPER.values()} <= {line["group"] for line in lines}
    markdown = rendered.paths["md"].read_text(encoding="utf-8")
    page = rendered.paths["html"].read_text(encoding="utf-8")
    screen = rendered.terminal(False, 100)
    for name in PAPER.values():
        assert f"Fusion variants: {name}" in page
        assert f"Fusion variants: {name}" in screen
        assert f"Fusion variants: {name}" in markdown.replace("\\", "")
    assert page.count("<table>") == (4 + SLICED) * 3
    assert page.count("Words between spaces.") == 1
    cells = json.loads(rendered.paths["json"].read_text())["tables"]["results"][0]["cells"]
    assert [c["dataset"] for c in cells] == [n for n in PAPER.values() for _ in range(12)]


def test_every_data_set_has_its_figures(rendered):
    titles = [p.title for p in rendered.document.pictures]
    assert titles[:3] == [f"Difference to the best variant: {n}" for n in PAPER.values()]
    assert len(titles) == len({p.slug for p in rendered.document.pictures}) == 12


def test_a_note_that_holds_for_all_stands_once(rendered):
    notes = rendered.document.notes
    assert sum("Bold (* in plain text)" in note for note in notes) == 1
    assert sum(note.startswith("G-Ref: Text control") for note in notes) == 1
    titles = [section.title for section in rendered.document.provenance]
    assert [t for t in titles if t.startswith("Data")] == [f"Data: {n}" for n in PAPER.values()]


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_holds_several_data_sets(rendered, width):
    lines = rendered.terminal(False, width).splitlines()
    assert max(map(len, lines)) <= width


def test_a_data_set_without_records_yet_is_shown_as_not_run(tmp_path):
    study, runs = several(tmp_path / "runs", names=("refcoco",))
    planned = {"run-x": "refcoco+"}
    runs = runs.model_copy(
        update={
            "run_ids": (*runs.run_ids, "run-x"),
            "datasets": dict.fromkeys(runs.run_ids, "refcoco") | planned,
        }
    )
    report = render_study(study.analysis, runs, store=study.store, out=tmp_path, formats=())
    assert "RefCOCO+: No row was scored" in report.document.verdict
    assert any(n.startswith("RefCOCO+: 1 of") for n in report.document.notes)


def test_one_data_set_is_reported_as_ever(tmp_path):
    study = simulated_study(tmp_path, images=10)
    report = render_study(study.analysis, study.runs, store=study.store, out=tmp_path, formats=())
    assert {c.dataset for t in report.document.tables for c in t.columns} == {""}
    assert "datasets" not in report.results


def test_named_rows_are_those_of_the_study(tmp_path):
    study = simulated_study(tmp_path, images=10)
    names = dict(zip(study.run_ids, ("one", "two", "three", "four", "five"), strict=True))
    view = study.analysis.table.model_copy(update={"rows": "row", "labels": {"two": "Second"}})
    analysis = study.analysis.model_copy(update={"table": view})
    runs = study.runs.model_copy(update={"rows": names, "report": "scans-mine"})
    report = render_study(analysis, runs, store=study.store, out=tmp_path / "o", formats=("md",))
    labels = [row.label for row in report.document.tables[0].rows]
    assert labels == ["Second", "one", "three", "four", "five"]
    assert report.paths["md"].name == "scans-mine.md"
