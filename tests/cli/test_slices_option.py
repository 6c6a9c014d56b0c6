"""``--slices`` of ``report`` and ``evaluate``; without it no terminal shows a slice."""

import json

import pytest
from evaluation_run import asked, read
from simulated_study import simulated_study
from tiny_run import tiny_spec

from remamber.cli._evaluation import Evaluated
from remamber.cli._slices_view import slices_document, slices_text
from remamber.errors import ExitCode
from remamber.record.store import Store
from remamber.runner import Interruption, execute
from remamber.table.counts import CountsFile


@pytest.fixture
def study(bench, tmp_path):
    found = simulated_study(tmp_path / "runs", images=40)
    found.store.write_study_runs(found.runs)
    return found


def simulated(study):
    record = next(r for r in study.store.records() if r.counts)
    counts = CountsFile(record, study.store.counts_path(record))
    folder = study.store.folder(record.spec)
    return Evaluated(record=record, counts=counts, folder=folder, weights=folder / "model")


def test_a_report_shows_slices_in_the_terminal_where_asked(bench, study):
    plain = bench("report", "scans", "--format", "json")
    assert plain.status == 0, plain.err
    assert "length of the expression" not in plain.out
    shown = bench("report", "scans", "--format", "json", "--slices")
    assert "val mIoU by length of the expression" in shown.out
    assert "3-5 words" in shown.out
    assert "Words between spaces." in shown.out


def test_a_reports_files_hold_the_slices_of_all_splits_and_metrics(bench, study, tmp_path):
    assert bench("report", "scans", "--format", "json,csv,md").status == 0
    folder = tmp_path / "reports" / "scans"
    content = json.loads((folder / "results.json").read_text())
    sizes = content["slices"]
    assert set(sizes) == {"val", "testA", "testB"}
    for split, by in sizes.items():
        total = content["splits"][split]["expressions"]
        assert all(sum(s["expressions"] for s in part.values()) == total for part in by.values())
    cells = content["tables"]["slices-length"][0]["cells"]
    assert {cell["column"] for cell in cells} == {"mIoU", "oIoU", "Pr@50", "Pr@70"}
    assert {cell["group"].partition(",")[0] for cell in cells} == set(sizes)
    assert "slices-centre" in (folder / "table.csv").read_text()
    assert "## Slices" in (tmp_path / "reports" / "scans.md").read_text()


@pytest.mark.parametrize("width", [80, 200])
def test_the_slices_of_an_evaluation_fit_the_terminal(study, width):
    found = simulated(study)
    lines = slices_text(found, color=False, width=width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "by what the expression needs" in text
    assert ("Pr@90" in text) == (width == 200)
    assert "truncation by the tokenizer: all expressions are 'whole'" in text


def test_the_slices_of_a_document_hold_every_expression_once(study):
    found = simulated(study)
    document = slices_document(found, "val", protocol="orig-bilinear-0.5")
    assert set(document) == {
        *("needs", "length", "area", "distractors", "truncation", "centre"),
    }
    for by in document.values():
        assert sum(part["expressions"] for part in by.values()) == 120
        for part in by.values():
            few = part["images"] < 30
            ends = part["metrics"]["mIoU"]["interval"]
            assert (ends == [None, None]) == few


def test_a_training_run_leaves_what_its_slices_need(tmp_path):
    spec, store = tiny_spec(tmp_path, steps=1), Store(tmp_path / "store")
    wanted = asked(spec, store.root, tmp_path)
    assert execute(wanted, lambda event: None, Interruption()) is ExitCode.DONE
    record, counts = read(store, spec)
    assert record.data["needs by"] == "a rule on words"
    for split in spec.data.splits:
        assert (counts[f"{split}/words"] > 0).all()
        assert (counts[f"{split}/needs"] > 0).all()
        assert (counts[f"{split}/same_class"] >= 0).all()
        assert (counts[f"{split}/image_pixels"] == 72 * 96).all()
