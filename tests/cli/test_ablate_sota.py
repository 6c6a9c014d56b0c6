"""``ablate sota``: both models are trained and a report with the published rows is written."""

import csv
from pathlib import Path

import pytest
from small_refcoco import write_small_refcoco

SMALL = (
    "--set", "model.size=tiny", "--set", "model.text.name=word", "--set", "model.start=none",
    "--steps", "20", "--image-size", "64",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_small_refcoco(tmp_path_factory.mktemp("data")).root


def test_a_data_set_that_is_not_the_published_one_stands_beside_no_published_row(
    bench, root, tmp_path
):
    place = ("--data-root", str(root), "--data", "refcoco")
    said = bench("ablate", "sota", *place, *SMALL)
    assert said.status == 0, said.err
    reports = tmp_path / "reports"
    (table,) = reports.glob("sota-paper-refcoco/table.csv")
    lines = list(csv.DictReader(table.read_text().splitlines()))
    published = [line for line in lines if line["table"].startswith("published-")]
    ours = [line for line in published if "trained here" in line["row"]]
    assert published and ours
    assert {line["status"] for line in ours if line["unit"] == "fraction"} == {"not-measured"}
    assert not any(line["published"] for line in lines)
    assert bench("report", "sota").status == 0
