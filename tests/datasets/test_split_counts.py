"""Split sizes against those of the published data sets."""

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets import _split_counts as counts
from remamber.plan.spec import DataSpec


@pytest.fixture
def small(tmp_path):
    write_small_refcoco(tmp_path)
    return open_dataset(DataSpec(name="refcoco"), DataPlace(root=tmp_path))


def test_a_small_set_differs_from_refcoco_in_every_count_and_says_how(small):
    report = counts.count_report(small)
    assert len(report) == 4 * 3
    assert "testA: 750 images" not in {str(line) for line in report}
    assert any(str(line).endswith("refs, published 42,404") for line in report)


def test_equal_counts_are_not_reported(small, monkeypatch):
    rows = []
    for split in small.splits():
        refs = small.refs(split)
        numbers = {
            "refs": str(len(refs)),
            "images": str(len({ref.image_id for ref in refs})),
            "expressions": str(2 * len(refs)),
        }
        rows.append({"dataset": "refcoco", "split_by": "unc", "split": split, **numbers})
    monkeypatch.setattr(counts, "_table", lambda: rows)
    assert counts.count_report(small) == []
    rows[1]["images"] = "99"
    assert [(d.split, d.unit, d.expected) for d in counts.count_report(small)] == [
        ("val", "images", 99)
    ]
    rows[1]["images"] = ""
    assert counts.count_report(small) == []


def test_an_absent_split_counts_as_none_found(small, monkeypatch):
    row = {
        "dataset": "refcoco",
        "split_by": "unc",
        "split": "test",
        "refs": "5",
        "images": "",
        "expressions": "",
    }
    monkeypatch.setattr(counts, "_table", lambda: [row])
    assert counts.count_report(small) == [counts.CountDifference("test", "refs", 5, 0)]


def test_a_data_set_that_the_table_does_not_know_is_not_reported():
    assert counts.count_report(object()) == []


def test_the_published_splits_add_up_to_the_published_totals():
    rows = counts._table()

    def total(dataset, split_by, unit):
        chosen = [r for r in rows if (r["dataset"], r["split_by"]) == (dataset, split_by)]
        return sum(int(row[unit]) for row in chosen)

    assert total("refcoco", "unc", "refs") == 50_000
    assert total("refcoco", "unc", "expressions") == 142_210
    assert total("refcoco+", "unc", "expressions") == 141_564
    assert total("refcocog", "umd", "images") == 25_799
    assert total("refcocog", "umd", "expressions") == 95_010
