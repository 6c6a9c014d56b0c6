import pytest
from simulated_study import SPLITS, scans_analysis

from remamber.errors import ExitCode, UserError
from remamber.table.published import is_same_dataset, load_published, published_of

HEADER = "dataset,split,variant,metric,value\n"


def test_the_shipped_table_fills_every_cell_of_its_analysis():
    analysis = scans_analysis()
    published = published_of(analysis)
    for split in SPLITS:
        for metric in analysis.table.metrics:
            for label in analysis.table.labels.values():
                assert 0.5 < published[split, metric, label] < 0.9
    assert published["val", "mIoU", "Channel-Spatial"] == pytest.approx(0.716)


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
    assert not is_same_dataset(None, "refcoco")
