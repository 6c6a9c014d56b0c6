"""What holds for every file of the repository."""

import ast
import csv
import re
import tomllib
from pathlib import Path

import pytest

from remamber import registry

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "remamber"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SHELVES = ("fusions", "models", "datasets", "tasks", "launch", "figures")
ENTRIES = [
    path
    for shelf in SHELVES
    for path in sorted((PACKAGE / shelf).glob("*.py"))
    if not path.name.startswith("_")
]


def relative(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", ["experiments", "analysis", "reports"])
def test_no_python_outside_package_and_tests(folder):
    assert list((ROOT / folder).rglob("*.py")) == []


def test_every_experiment_has_an_analysis_and_the_other_way_round():
    stems = [{p.stem for p in (ROOT / f).glob("*.toml")} for f in ("experiments", "analysis")]
    assert stems[0] == stems[1]


PUBLISHED = sorted((ROOT / "analysis/published").glob("*.csv"))


@pytest.mark.parametrize("path", [p for p in PUBLISHED if not p.stem.endswith("_audit")], ids=str)
def test_published_figures_name_their_source_and_are_numbers(path):
    comment, *lines = path.read_text().splitlines()
    assert comment.startswith("# ReMamber (ECCV 2024)")
    rows = list(csv.DictReader(lines))
    assert rows
    for row in rows:
        assert set(row) == {"dataset", "split", "variant", "metric", "value"}
        assert re.fullmatch(r"\d+\.\d+", row["value"])


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_says_what_it_holds_and_is_short(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no module docstring"
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_are_under_fifty_lines(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines < 50, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", ENTRIES, ids=relative)
def test_a_shelf_file_registers_something_and_imports_no_sibling(path):
    tree = ast.parse(path.read_text())
    package = f"remamber.{path.parent.name}"
    shelf = next(s for s in vars(registry).values() if getattr(s, "package", "") == package)
    assert any(e.module == f"{package}.{path.stem}" for e in shelf.entries.values())
    siblings = {f"{package}.{p.stem}" for p in ENTRIES if p.parent == path.parent} - {
        f"{package}.{path.stem}"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module not in siblings
        if isinstance(node, ast.Import):
            assert not siblings & {alias.name for alias in node.names}


def test_core_dependencies_are_imported_somewhere():
    """Each dependency earns its place; one that nothing imports is a mistake."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=\[]", d)[0] for d in project["dependencies"]]
    modules = {"pillow": "PIL", "scikit-learn": "sklearn"}
    text = "\n".join(p.read_text() for p in SOURCES)
    for name in names:
        module = modules.get(name, name.replace("-", "_"))
        assert re.search(rf"(?:import|from) {module}\b", text), name
