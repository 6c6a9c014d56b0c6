"""The comparison with published systems: no number stands beside one of another kind."""

import csv
import io
import json

import pytest
from simulated_sota import IMAGES, SimulatedSota, paper_study, synthetic_study

from remamber.errors import UserError
from remamber.plan.question import load_analysis
from remamber.plan.study import studies_folder
from remamber.record.store import Store
from remamber.report import pictures, render_study
from remamber.report.sota_compose import SYNTHETIC
from remamber.table.sota_published import EXPRESSIONS, NOT_STATED, VERIFIED, published_rows


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setattr(pictures, "find_browser", lambda: None)


@pytest.fixture(autouse=True)
def _small_splits(monkeypatch):
    """As if every published split had as many expressions as the simulated ones."""
    for place in EXPRESSIONS:
        monkeypatch.setitem(EXPRESSIONS, place, 3 * IMAGES)


def rendered(study, out, **more):
    return render_study(study.analysis, study.runs, store=study.store, out=out, **more)


def tables(report):
    return {table.name: table for table in report.document.tables}


def row_of(table, words):
    (row,) = [row for row in table.rows if words in row.label]
    return row


def values(table, row):
    places = zip(table.columns, row.cells, strict=True)
    return {c.group: cell for c, cell in places if c.unit == "fraction"}


def test_every_row_of_the_table_has_one_metric_and_every_value_that_metric():
    view = load_analysis(studies_folder("analysis") / "sota.toml").sota
    rows = published_rows(view)
    lines = (studies_folder("analysis") / view.published).read_text().splitlines()
    assert sum(len(row.values) for row in rows) == len(lines) - 2 == 144
    assert len(rows) == 21
    assert set(view.models.values()) <= {row.variant for row in rows}
    for row in rows:
        assert row.values, row.variant
        assert bool(row.protocol) == (row.standing == VERIFIED)
        assert (row.metric == NOT_STATED) == (row.standing in ("not verified", NOT_STATED))


def test_a_published_table_holds_one_metric_and_one_protocol(tmp_path):
    report = rendered(paper_study(tmp_path / "runs"), tmp_path / "out")
    by_variant = {line["variant"]: line for line in report.results["published"]}
    found = [t for name, t in tables(report).items() if name.startswith("published-")]
    assert len(found) == 4
    shown = [row.label for table in found for row in table.rows if row.label in by_variant]
    assert sorted(shown) == sorted(by_variant)
    for table in found:
        printed = [by_variant[row.label] for row in table.rows if row.label in by_variant]
        assert len({(line["metric"], line["protocol"]) for line in printed}) == 1
        assert {c.label for c in table.columns if c.unit == "fraction"} == {printed[0]["metric"]}


def test_ours_stand_beside_rows_of_their_own_metric_and_protocol_only(tmp_path):
    found = tables(rendered(paper_study(tmp_path / "runs"), tmp_path / "out"))
    ours = {name: [r for r in t.rows if "trained here" in r.label] for name, t in found.items()}
    beside = {name for name, rows in ours.items() if rows and name.startswith("published")}
    assert beside == {"published-oiou-lavt", "published-miou-cris"}
    lavt = found["published-oiou-lavt"]
    cell = values(lavt, row_of(lavt, "LAVT, trained here"))["RefCOCO val"]
    assert cell.published == pytest.approx(0.7273)
    remamber = values(lavt, row_of(lavt, "ReMamber, trained here"))["RefCOCO val"]
    assert remamber.published is None, "the printed row is of a metric that is not stated"
    by_protocol = found["protocols"]
    same = [c for c in by_protocol.columns if c.name.endswith("lavt oIoU")][0]
    place = by_protocol.columns.index(same)
    assert row_of(by_protocol, "LAVT").cells[place].value == cell.value


def test_what_has_no_record_is_not_measured(tmp_path):
    report = rendered(paper_study(tmp_path / "runs"), tmp_path / "out")
    lavt = tables(report)["published-oiou-lavt"]
    cells = values(lavt, row_of(lavt, "LAVT, trained here"))
    assert {group: cell.status for group, cell in cells.items() if cell.value is None} == {
        **{f"RefCOCO+ {s}": "not-measured" for s in ("val", "testA", "testB")},
        **{f"G-Ref {s}": "not-measured" for s in ("val", "test")},
    }
    assert "not measured" in report.paths["md"].read_text(encoding="utf-8")


def test_a_model_that_ran_out_of_memory_says_so(tmp_path):
    study = SimulatedSota(Store(tmp_path / "runs"))
    study.train("remamber", "refcoco")
    study.train("lavt", "refcoco", status="oom")
    report = rendered(study, tmp_path / "out")
    cris = tables(report)["published-miou-cris"]
    cells = values(cris, row_of(cris, "LAVT, trained here"))
    assert cells["RefCOCO val"].status == "oom"
    assert cells["RefCOCO+ val"].status == "not-measured"
    assert "OOM" in report.paths["md"].read_text(encoding="utf-8")


def test_rows_of_different_protocols_are_refused_and_another_first_protocol_is_not(tmp_path):
    mixed = SimulatedSota(Store(tmp_path / "mixed"))
    mixed.train("remamber", "refcoco", protocols=("release", "lavt"))
    mixed.train("lavt", "refcoco", protocols=("lavt", "release"))
    with pytest.raises(UserError, match="different protocols"):
        rendered(mixed, tmp_path / "out")
    other = SimulatedSota(Store(tmp_path / "other"))
    for model in ("remamber", "lavt"):
        other.train(model, "refcoco", protocols=("lavt", "release"))
    found = tables(rendered(other, tmp_path / "out"))
    lavt, cris = found["published-oiou-lavt"], found["published-miou-cris"]
    assert values(lavt, row_of(lavt, "LAVT, trained here"))["RefCOCO val"].value is not None
    cells = values(cris, row_of(cris, "LAVT, trained here"))
    assert {cell.status for cell in cells.values()} == {"not-measured"}


def test_synthetic_rows_never_stand_in_a_published_table(tmp_path):
    report = rendered(synthetic_study(tmp_path / "runs"), tmp_path / "out")
    assert report.document.banner == SYNTHETIC
    assert SYNTHETIC in report.terminal(False, 100).replace("\n", " ")
    variants = {line["variant"] for line in report.results["published"]}
    found = tables(report)
    for name, table in found.items():
        if name.startswith("published-"):
            assert {row.label for row in table.rows} <= variants
            assert all(cell.published is None for row in table.rows for cell in row.cells)
    assert [row.label for row in found["protocols"].rows] == ["ReMamber, 480 px", "LAVT, 480 px"]
    assert all(c.published is None for row in found["results"].rows for c in row.cells)


def test_evaluated_weights_become_rows_of_the_protocols_they_were_scored_by(tmp_path):
    study = synthetic_study(tmp_path / "runs")
    study.evaluate(
        "remamber", "refcoco", digest="ab", holds="released", protocols=("release", "lavt")
    )
    study.evaluate("lavt", "refcoco+", digest="cd", protocols=("cris",))
    report = rendered(study, tmp_path / "out")
    found = tables(report)
    lavt, cris = found["published-oiou-lavt"], found["published-miou-cris"]
    cells = values(lavt, row_of(lavt, "ReMamber, released weights (abababab), 480 px"))
    assert cells["RefCOCO val"].value is not None
    assert cells["RefCOCO+ val"].status == "not-measured"
    assert values(cris, row_of(cris, "LAVT, weights"))["RefCOCO+ val"].value is not None
    assert len(lavt.rows) == 2 and len(cris.rows) == 5
    assert len(report.results["evaluations"]) == 2
    assert any("three data sets together" in note for note in report.document.notes)
    assert any("By the release's own protocol" in note for note in report.document.notes)
    assert "Evaluations" in [section.title for section in report.document.provenance]


def test_a_part_of_a_split_and_a_quick_look_stay_out(tmp_path):
    study = paper_study(tmp_path / "runs")
    study.evaluate("lavt", "refcoco", digest="ab", images=IMAGES - 1)
    study.evaluate("lavt", "refcoco", digest="cd", limit=5)
    report = rendered(study, tmp_path / "out")
    lavt = tables(report)["published-oiou-lavt"]
    assert not [row for row in lavt.rows if "weights" in row.label]
    notes = report.document.notes
    assert any(f"scored 33 of RefCOCO val's {3 * IMAGES} expressions" in note for note in notes)
    assert "Left out: one evaluation of a sample of a split (--limit)." in notes


def test_the_later_of_two_scores_of_the_same_weights_counts_once(tmp_path):
    study = synthetic_study(tmp_path / "runs")
    for protocols in (("lavt",), ("lavt", "cris")):
        study.evaluate("lavt", "refcoco", digest="ab", protocols=protocols)
    lavt = tables(rendered(study, tmp_path / "out"))["published-oiou-lavt"]
    assert len([row for row in lavt.rows if "weights" in row.label]) == 1


def test_seeds_are_averaged(tmp_path):
    study = paper_study(tmp_path / "runs")
    alone = tables(rendered(study, tmp_path / "alone"))["published-oiou-lavt"]
    study.train("remamber", "refcoco", seed=1)
    study.train("lavt", "refcoco", seed=1)
    lavt = tables(rendered(study, tmp_path / "out"))["published-oiou-lavt"]
    both = values(lavt, row_of(lavt, "LAVT, trained here, 480 px, mean of 2 seeds"))
    one = values(alone, row_of(alone, "LAVT, trained here, 480 px"))
    assert both["RefCOCO val"].value != one["RefCOCO val"].value
    assert both["RefCOCO val"].value == pytest.approx(one["RefCOCO val"].value, abs=0.03)


def test_the_notes_say_where_metrics_are_mixed_and_how_far_they_are_apart(tmp_path):
    notes = rendered(paper_study(tmp_path / "runs"), tmp_path / "out").document.notes
    assert "15 rows of oIoU (verified for LAVT, 14 by convention)" in notes[0]
    assert "four rows of mIoU (verified for ETRIS and CRIS)" in notes[0]
    (gap,) = [n for n in notes if n.startswith("LAVT, Swin-B, of which both")]
    assert "mIoU lies 1.1 to 4.1 points above oIoU" in gap
    (claim,) = [n for n in notes if n.startswith("ReMamber minus LAVT as printed")]
    assert "+0.9 to +2.9 points" in claim and "RefCOCO val +1.8" in claim
    (read,) = [n for n in notes if n.startswith("The metric of ReMamber's row is not stated")]
    assert "in 8 of 8 columns if it is oIoU and in 3 of 8 columns if it is mIoU" in read


def test_every_format_has_a_published_value_as_printed_and_with_its_metric(tmp_path):
    report = rendered(paper_study(tmp_path / "runs"), tmp_path / "out")
    page = report.paths["html"].read_text(encoding="utf-8")
    markdown = report.paths["md"].read_text(encoding="utf-8")
    assert "72.73" in page and "29.50" in page and "| 72.73 |" in markdown
    lines = list(csv.DictReader(io.StringIO(report.paths["csv"].read_text(encoding="utf-8"))))
    (line,) = [
        x
        for x in lines
        if (x["row"], x["group"], x["table"])
        == ("LAVT, Swin-B", "RefCOCO val", "published-oiou-lavt")
    ]
    assert (line["column"], line["value"]) == ("oIoU", "0.7273")
    assert json.loads(report.paths["json"].read_text())["published"][0]["variant"].startswith(
        "PCAN"
    )


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminal_holds_it(tmp_path, width):
    text = rendered(paper_study(tmp_path / "runs"), tmp_path / "out", formats=()).terminal(
        False, width
    )
    assert max(map(len, text.splitlines())) <= width
    assert "LAVT, trained here" in text
