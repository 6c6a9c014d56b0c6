import csv
import html
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from simulated_study import Simulated, add_run, scans_analysis, simulated_study

from remamber.errors import ExitCode, UserError
from remamber.record.store import Store
from remamber.report import pictures, render_study
from remamber.report.compose import SYNTHETIC
from remamber.table.slice_rules import SLICINGS

SLICED = 5
"""Ways of dividing the simulated expressions that leave two slices or more."""
GOLDEN = Path(__file__).parents[1] / "data" / "scans_report.md"
BARE = re.compile(r"\bnan\b|-0\.0\b|\bNone\b|\binf\b", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setattr(pictures, "find_browser", lambda: None)


def rendered(study, out, **kwargs):
    return render_study(study.analysis, study.runs, store=study.store, out=out, **kwargs)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulated_study(tmp_path_factory.mktemp("runs"))


def hostile(study):
    name = '<script>alert("x")</script> | *a* [b](c) `d` </table>'
    table = study.analysis.table.model_copy(
        update={"labels": study.analysis.table.labels | {"channel": name}}
    )
    analysis = study.analysis.model_copy(update={"table": table, "title": name})
    return Simulated(study.store, analysis, study.run_ids, study.bounds_id), name


class Page(HTMLParser):
    """Elements of a page, by tag, with their attributes; and the texts of its table cells."""

    def __init__(self, text):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_markdown_is_as_it_was_read_and_approved(study, tmp_path):
    paths = rendered(study, tmp_path).paths
    assert paths["md"].read_text(encoding="utf-8") == GOLDEN.read_text(encoding="utf-8")


def test_results_are_identical_when_rendered_again(study, tmp_path):
    first = rendered(study, tmp_path / "a").paths
    second = rendered(study, tmp_path / "b").paths
    for name in ("json", "csv", "html", "md"):
        assert first[name].read_bytes() == second[name].read_bytes()


def test_results_json_is_what_rendered_holds_and_every_number_is_finite(study, tmp_path):
    report = rendered(study, tmp_path, formats=("json",))
    content = json.loads(
        report.paths["json"].read_text(encoding="utf-8"), parse_constant=pytest.fail
    )
    assert content == report.results
    assert content["schema_version"] == 1
    assert [run["seed"] for run in content["runs"]] == [0] * 5
    shown = {"results", "differences", "cost", "bounds"}
    assert set(content["tables"]) == shown | {f"slices-{s.name}" for s in SLICINGS}
    assert list(report.paths) == ["json"]


def test_the_csv_has_a_line_for_every_cell_in_base_units(study, tmp_path):
    report = rendered(study, tmp_path, formats=("csv",))
    lines = list(csv.DictReader(io.StringIO(report.paths["csv"].read_text(encoding="utf-8"))))
    cells = [c for t in report.document.for_machines() for row in t.rows for c in row.cells]
    assert len(lines) == len(cells)
    scores = [line for line in lines if line["unit"] == "fraction"]
    assert all(0 <= float(line["value"]) <= 1 for line in scores)


def test_synthetic_data_carries_its_banner_and_no_value_of_the_paper(study, tmp_path):
    report = rendered(study, tmp_path)
    for name in ("md", "html"):
        text = report.paths[name].read_text(encoding="utf-8")
        assert SYNTHETIC in html.unescape(text)
        assert "71.6" not in text
        assert "(paper" not in text
    assert SYNTHETIC in report.terminal(color=False, width=100)


def test_real_data_has_the_papers_value_and_the_difference_in_the_cell(tmp_path):
    report = rendered(simulated_study(tmp_path, data="refcoco", images=20), tmp_path / "out")
    assert report.document.banner is None
    text = report.paths["md"].read_text(encoding="utf-8")
    assert re.search(r"\(paper 71\.6, [−+]\d+\.\d\)", text)
    assert "Kendall" not in text


def test_hostile_names_stay_text_in_the_page(study, tmp_path):
    bad, name = hostile(study)
    text = rendered(bad, tmp_path, formats=("html",)).paths["html"].read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert html.escape(name, quote=False).split(" ")[0] in text.replace("&#34;", '"')
    assert len(Page(text).all("table")) == 4 + SLICED
    embedded = re.findall(r'<script type="application/json".*?>(.*?)</script>', text)
    assert any("alert" in content for content in embedded)
    assert not any("<" in content for content in embedded)


def test_hostile_names_do_not_break_a_markdown_table(study, tmp_path):
    bad, _ = hostile(study)
    text = rendered(bad, tmp_path, formats=("md",)).paths["md"].read_text(encoding="utf-8")
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    bars = [len(re.findall(r"(?<!\\)\|", row)) for row in rows[:7]]
    assert len(set(bars)) == 1


def test_the_page_loads_nothing_from_elsewhere(study, tmp_path):
    out = rendered(study, tmp_path).paths["html"]
    page = Page(out.read_text(encoding="utf-8"))
    sources = [a["src"] for tag in ("script", "img", "iframe") for a in page.all(tag) if "src" in a]
    links = [a["href"] for a in page.all("link")]
    assert all("//" not in str(source) for source in (*sources, *links))
    assert [s for s in sources if (out.parent / str(s)).is_file()] == sources
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert "default-src 'none'" in str(policy)
    assert "connect-src 'none'" in str(policy)
    assert not re.search(r"https?:", str(policy))


def test_plotly_may_not_offer_to_send_the_figures_away(study, tmp_path):
    text = rendered(study, tmp_path, formats=("html",)).paths["html"].read_text(encoding="utf-8")
    figures = re.findall(r'<script type="application/json" id="\d-\w+-data">(.*?)</script>', text)
    assert len(figures) == 4
    for figure in figures:
        config = json.loads(figure)["config"]
        assert config == {"showSendToCloud": False, "displaylogo": False, "responsive": True}


def test_a_single_file_has_plotly_inside_and_nothing_beside(study, tmp_path):
    report = rendered(study, tmp_path, formats=("html",), single_file=True)
    assert report.paths["html"].stat().st_size > 3_000_000
    assert not (tmp_path / "assets").exists()
    page = Page(report.paths["html"].read_text(encoding="utf-8"))
    assert all("src" not in a for a in page.all("script"))


def test_every_table_can_be_read_and_sorted_without_a_mouse(study, tmp_path):
    text = rendered(study, tmp_path, formats=("html",)).paths["html"].read_text(encoding="utf-8")
    page = Page(text)
    sortable = [a for a in page.all("th") if "aria-sort" in a]
    assert {a["scope"] for a in page.all("th")} == {"col", "row", "colgroup"}
    assert len(sortable) == 13 + 4 + 9 + 10 + SLICED * 4
    assert len(page.all("caption")) == len(page.all("table"))
    assert {a["lang"] for a in page.all("html")} == {"en"}
    plots = [a for a in page.all("div") if a.get("class") == "plot"]
    assert all(a["role"] == "img" and len(str(a["aria-label"])) > 40 for a in plots)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_without_a_browser_the_markdown_says_where_the_figures_are(study, tmp_path):
    report = rendered(study, tmp_path)
    text = report.paths["md"].read_text(encoding="utf-8")
    assert "The figure is in [scans.html](scans.html#1-forest)." in text
    assert "![" not in text
    assert "figures" not in report.paths


def test_failed_and_missing_rows_are_shown_with_their_reason(tmp_path):
    study = simulated_study(tmp_path, skill={"parallel": 0.4, "channel": 0.3}, images=20)
    add_run(study, "spatial", skill=0.3, status="oom", error="Trace\nOutOfMemoryError: 2 GiB")
    add_run(study, "spatial-channel", skill=0.3, status="error", error="ValueError: bad")
    report = rendered(study, tmp_path / "out")
    terminal = report.terminal(False, 250)
    for text in (report.paths["md"].read_text(encoding="utf-8"), terminal):
        assert "OOM" in text
        assert "failed" in text
        assert "Spatial only, seed 0, ran out of memory: OutOfMemoryError: 2 GiB" in text
        assert "Spatial-Channel, seed 0, failed: ValueError: bad" in text
    line = next(x for x in terminal.splitlines() if x.startswith("Channel-Spatial"))
    assert line.split()[1:] == ["--"] * 12


@pytest.mark.parametrize("images", [1, 2])
def test_tiny_data_prints_no_number_that_is_none(tmp_path, images):
    report = rendered(simulated_study(tmp_path, images=images, bounds=False), tmp_path / "out")
    for name in ("md", "csv"):
        assert not BARE.search(report.paths[name].read_text(encoding="utf-8"))
    assert not BARE.search(report.terminal(False, 160))


def test_nothing_finished_still_makes_a_report(tmp_path):
    empty = Simulated(Store(tmp_path / "runs"), scans_analysis(), run_ids=["a-00000000"])
    report = rendered(empty, tmp_path / "out")
    assert "so nothing can be said" in report.paths["md"].read_text(encoding="utf-8")
    assert report.results["unrecorded_runs"] == ["a-00000000"]


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("data", ["synth-refcoco", "refcoco"])
def test_the_terminal_never_overflows(tmp_path, width, data):
    study = simulated_study(tmp_path, images=20, data=data)
    text = rendered(study, tmp_path / "out", formats=()).terminal(color=False, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text
    assert "…" not in text
    for label in study.analysis.table.labels.values():
        assert sum(line.startswith(label) for line in text.splitlines()) >= 2


def test_a_wider_terminal_shows_more_columns(study, tmp_path):
    report = rendered(study, tmp_path, formats=())
    headers = [
        next(x for x in report.terminal(False, w).splitlines() if x.startswith("Scan ordering"))
        for w in (80, 100, 160)
    ]
    assert [h.count("↑") for h in headers] == [3, 6, 12]


def test_colour_is_used_only_if_asked_for(study, tmp_path):
    report = rendered(study, tmp_path, formats=())
    assert "\x1b[" in report.terminal(True, 100)
    plain = report.terminal(False, 160)
    assert "\x1b" not in plain
    assert re.search(r"\d\* ±", plain)


def test_what_a_record_says_cannot_steer_the_terminal(tmp_path):
    study = simulated_study(tmp_path, skill={}, images=10)
    add_run(study, "spatial", skill=0.4, status="error", error="\x1b[2J\x1b]0;owned\x07 gone")
    plain = rendered(study, tmp_path, formats=()).terminal(False, 160)
    assert "gone" in plain
    assert "\x1b" not in plain and "\x07" not in plain


def test_an_unknown_format_is_refused_before_anything_is_written(study, tmp_path):
    with pytest.raises(UserError, match="unknown report format 'pdf'") as refused:
        rendered(study, tmp_path / "out", formats=("md", "pdf"))
    assert refused.value.exit_code == ExitCode.USAGE
    assert not (tmp_path / "out").exists()


def test_rendering_imports_nothing_from_the_side_that_trains(study, tmp_path):
    program = """
import sys
from pathlib import Path
from remamber.plan.question import load_analysis
from remamber.plan.study import StudyRuns, studies_folder
from remamber.record.store import Store
from remamber.report import pictures, render_study
pictures.find_browser = lambda: None
runs = StudyRuns.model_validate_json(sys.argv[1])
analysis = load_analysis(studies_folder("analysis") / "scans.toml")
render_study(analysis, runs, store=Store(Path(sys.argv[2])), out=Path(sys.argv[3]))
heavy = {"torch", "transformers", "numba", "accelerate", "kaleido"} & set(sys.modules)
print(sorted(heavy), "pandas" in sys.modules)
"""
    arguments = [study.runs.model_dump_json(), str(study.store.root), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "[] True"


def test_importing_the_report_package_is_light():
    program = (
        "import sys, remamber.report;"
        "print({'pandas', 'plotly', 'jinja2', 'scipy', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
