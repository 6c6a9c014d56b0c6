from types import SimpleNamespace

import pytest
from simulated_study import SPLITS

from remamber.errors import ExitCode, UserError
from remamber.plan.question import load_analysis
from remamber.plan.study import studies_folder
from remamber.table.published import (
    is_same_dataset,
    load_published,
    published_dataset,
    published_of,
)
from remamber.table.results import _with_splits

HEADER = "dataset,split,variant,metric,value\n"


def analysis_of(study):
    return load_analysis(studies_folder("analysis") / f"{study}.toml")


@pytest.mark.parametrize(
    ("study", "data", "splits"),
    [
        ("scans", "RefCOCO (inferred)", ("val", "testA", "testB")),
        ("features", "RefCOCO (inferred)", ("val", "testA", "testB")),
        ("fusion", "RefCOCO", ("val", "testA", "testB")),
        ("fusion", "RefCOCO+", ("val", "testA", "testB")),
        ("fusion", "G-Ref", ("val", "test")),
    ],
)
def test_the_shipped_tables_fill_every_cell_of_their_analysis(study, data, splits):
    analysis = analysis_of(study)
    published = published_of(analysis, data)
    for split in splits:
        for metric in analysis.table.metrics:
            for label in analysis.table.labels.values():
                assert 0.35 < published[split, metric, label] < 0.9


def test_the_full_twisters_row_is_the_same_in_three_tables():
    rows = {"scans": "Channel-Spatial", "fusion": "Mamba Twister", "features": "Image+Global+Local"}
    values = [
        [published_of(a, a.published_dataset)[s, m, row] for s in SPLITS for m in a.table.metrics]
        for study, row in rows.items()
        for a in [analysis_of(study)]
    ]
    assert values[0] == values[1] == values[2]
    assert values[0][0] == pytest.approx(0.716)


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        ({"refcoco"}, "RefCOCO"),
        ({"refcoco+"}, "RefCOCO+"),
        ({"refcocog"}, "G-Ref"),
        ({"synth-refcoco"}, "RefCOCO"),
        ({"refcoco", "refcoco+"}, "RefCOCO"),
        (set(), "RefCOCO"),
    ],
)
def test_runs_stand_beside_the_values_of_their_own_data_set(trained, expected):
    assert published_dataset(analysis_of("fusion"), trained) == expected
    assert published_dataset(analysis_of("scans"), trained) == "RefCOCO (inferred)"


def test_splits_that_the_view_does_not_know_take_its_place():
    def shown(*splits):
        record = SimpleNamespace(spec=SimpleNamespace(data=SimpleNamespace(splits=splits)))
        return _with_splits(analysis_of("fusion"), SimpleNamespace(records=[record])).table

    assert shown("val", "test").splits == ("val", "test")
    assert shown("val", "test").lead == ("val", "mIoU")
    assert shown("test").lead == ("test", "mIoU")
    assert shown("val").splits == SPLITS


def test_comments_and_other_data_sets_are_left_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"# from the paper\n{HEADER}A,val,x,mIoU,50.0\nB,val,x,mIoU,60.0\n")
    assert load_published(path, "B") == {("val", "mIoU", "x"): 0.6}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "header"),
        (f"{HEADER}A,val,x,mIoU,high\n", "'high' is not a number"),
        (f"{HEADER}A,val,x,mIoU,716\n", "'716' is not a percentage"),
        (f"{HEADER}A,val,x,mIoU,nan\n", "'nan' is not a percentage"),
    ],
)
def test_a_malformed_file_is_named(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=said) as refused:
        load_published(path, None)
    assert refused.value.exit_code == ExitCode.DAMAGED
    assert refused.value.path == str(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="not found"):
        load_published(tmp_path / "none.csv", None)


def test_the_papers_data_set_is_known_by_its_name():
    assert is_same_dataset("RefCOCO (inferred)", "refcoco")
    assert not is_same_dataset("RefCOCO (inferred)", "refcoco+")
    assert is_same_dataset("G-Ref", "refcocog")
    assert not is_same_dataset(None, "refcoco")
