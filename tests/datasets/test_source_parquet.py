"""Parquet folders of data set hubs: two styles with masks, and those that hold none."""

import json
import os
import pickle
import sys

import pytest
from more_shapes import jxu124_row, lmms_row, write_parquet
from other_shapes import told, told_by_refer, write_content

from remamber.datasets._sources import (
    SourcePlace,
    _parquet_files,
    _parquet_pixels,
    read_source,
    recognised,
)
from remamber.errors import ExitCode, UserError


@pytest.fixture
def content(tmp_path):
    return write_content(tmp_path / "data")


def of(content, split):
    return [ref for ref in content.refs if ref["split"] == split]


def refused(path, **given):
    with pytest.raises(UserError) as caught:
        read_source(SourcePlace(path, **given))
    assert caught.value.fix
    return caught.value


def single(content):
    """Refs whose object is one polygon, which is all that flat lists can hold."""
    return [
        ref
        for ref in content.refs
        if isinstance(content.annotation(ref)["segmentation"], list)
        and len(content.annotation(ref)["segmentation"]) == 1
    ]


def write_pixels(content, folder, splits):
    for split in splits:
        rows = [lmms_row(ref, content) for ref in single(content) if ref["split"] == split]
        write_parquet(folder / "data" / f"{split}-00000-of-00001-0a1b2c.parquet", rows)
    return folder


def test_rows_with_pixels_say_what_the_refer_layout_says(content, tmp_path):
    folder = write_pixels(content, tmp_path / "RefCOCO", content.splits())
    assert recognised(folder) == "parquet"
    source = read_source(SourcePlace(folder))
    assert (source.name, source.split_by) == ("refcoco", "unc")
    theirs = told_by_refer(content)
    for split, rows in told(source).items():
        assert set(rows) <= set(theirs[split])
        assert len(rows) == sum(ref["split"] == split for ref in single(content))
    for ref in content.refs:
        if ref["image_id"] in source.annotations.images:
            assert source.images(ref["image_id"]) == content.jpeg(ref)
    assert any("one polygon" in note for note in source.notes)


def test_a_val_of_two_makers_is_left_out_and_said(content, tmp_path):
    folder = write_pixels(content, tmp_path / "RefCOCO", ("val", "testA"))
    rows = [lmms_row(ref, content) for ref in of(content, "val")]
    write_parquet(folder / "data" / "val-00000-of-00001-0a1b2c.parquet", [*rows, rows[0]])
    source = read_source(SourcePlace(folder))
    assert list(source.annotations.splits) == ["testA"]
    assert any(
        note.startswith("split 'val' left out: 1 targets stand in it twice")
        for note in source.notes
    )


def test_a_val_with_as_many_rows_as_two_makers_have_is_left_out(content, tmp_path, monkeypatch):
    folder = write_pixels(content, tmp_path / "RefCOCO", ("val", "testA"))
    rows = sum(ref["split"] == "val" for ref in single(content))
    monkeypatch.setitem(_parquet_pixels._MIXED, ("refcoco", "val"), rows)
    source = read_source(SourcePlace(folder))
    assert list(source.annotations.splits) == ["testA"]
    assert any(note.endswith("two makers' splits together") for note in source.notes)


def test_refcocos_test_is_googles_and_left_out_beside_unc(content, tmp_path):
    folder = write_pixels(content, tmp_path / "RefCOCO", ("val", "testA"))
    rows = [lmms_row(ref, content) for ref in single(content) if ref["split"] == "testB"]
    write_parquet(folder / "data" / "test-00000-of-00001.parquet", rows)
    source = read_source(SourcePlace(folder))
    assert "split 'test' left out: RefCOCO's 'test' is the google split's" in source.notes
    google = read_source(SourcePlace(folder, split_by="google"))
    assert "testA" not in google.annotations.splits
    assert "test" in google.annotations.splits


def test_nothing_but_mixed_splits_is_refused(content, tmp_path):
    rows = [lmms_row(ref, content) for ref in of(content, "val")]
    write_parquet(tmp_path / "RefCOCO" / "data" / "val-0.parquet", [*rows, *rows])
    error = refused(tmp_path / "RefCOCO")
    assert error.exit_code == ExitCode.DAMAGED
    assert error.slug == "mixed_splits"
    assert "stand in it twice" in error.where[0]


def test_a_file_of_refers_fields_keeps_its_own_split_names_and_ids(content, tmp_path):
    rows = [jxu124_row(ref, content) for ref in of(content, "testA")]
    path = write_parquet(tmp_path / "refcoco" / "test-00000-of-00001.parquet", rows)
    source = read_source(SourcePlace(path, images=content.small.images))
    assert told(source)["testA"] == told_by_refer(content)["testA"]
    assert {ref.ref_id for ref in source.annotations.splits["testA"]} == {
        ref["ref_id"] for ref in of(content, "testA")
    }


def boxes_only(content):
    keys = ("ref_id", "ann_id", "image_id", "split", "sentences", "bbox")
    rows = [jxu124_row(ref, content) for ref in content.refs]
    return [{key: row[key] for key in keys} for row in rows]


def test_boxes_only_are_refused_unless_instances_are_given(content, tmp_path):
    path = write_parquet(tmp_path / "refcoco" / "train.parquet", boxes_only(content))
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert "holds no masks" in error.what
    assert any("--instances PATH/instances.json" in line for line in error.fix)
    source = read_source(SourcePlace(path, instances=content.small.instances))
    assert told(source) == told_by_refer(content)


@pytest.mark.parametrize("column", ["answer", "segmentation", "image", "file_name"])
def test_a_missing_column_of_rows_with_pixels_is_named(column, content, tmp_path):
    rows = [lmms_row(ref, content) for ref in single(content)]
    for row in rows:
        del row[column]
    path = write_parquet(tmp_path / "RefCOCO" / "val.parquet", rows)
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert f"'val.parquet' has no column '{column}'" in error.what


@pytest.mark.parametrize(
    "column", ["ref_id", "ann_id", "split", "sentences", "category_id", "raw_image_info"]
)
def test_a_missing_column_of_refers_fields_is_named(column, content, tmp_path):
    rows = [jxu124_row(ref, content) for ref in content.refs]
    for row in rows:
        del row[column]
    path = write_parquet(tmp_path / "refcoco" / "val.parquet", rows)
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert f"no column '{column}'" in error.what


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"raw_anns": "{"}, "row 1: 'raw_anns' is not whole JSON"),
        ({"raw_anns": "[]"}, "row 1: 'raw_anns' holds a list, not a dict"),
        ({"raw_anns": json.dumps({"id": 1, "bbox": []})}, "boxes only, no 'segmentation'"),
        ({"raw_anns": json.dumps({"id": 1, "segmentation": [[]]})}, "is about annotation 1"),
        ({"sentences": None}, "row 1: 'sentences' is None, expected list"),
        ({"ref_id": None}, "row 1: 'ref_id' is None, expected int"),
    ],
)
def test_a_damaged_row_says_which(change, problem, content, tmp_path):
    rows = [jxu124_row(ref, content) for ref in content.refs]
    rows[1].update(change)
    error = refused(write_parquet(tmp_path / "refcoco" / "val.parquet", rows))
    assert error.exit_code == ExitCode.DAMAGED
    assert problem in error.what


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_parquet_file_cut_short_is_refused(part, content, tmp_path):
    rows = [jxu124_row(ref, content) for ref in content.refs]
    path = write_parquet(tmp_path / "refcoco" / "val.parquet", rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert "is not a whole parquet file" in error.what


def test_a_parquet_file_with_a_damaged_middle_is_refused(content, tmp_path):
    rows = [jxu124_row(ref, content) for ref in content.refs]
    path = write_parquet(tmp_path / "refcoco" / "val.parquet", rows)
    whole = bytearray(path.read_bytes())
    whole[4 : len(whole) // 2] = b"\xff" * (len(whole) // 2 - 4)
    path.write_bytes(whole)
    assert refused(path).exit_code == ExitCode.DAMAGED


def test_pixels_that_are_not_there_are_refused(content, tmp_path):
    rows = [lmms_row(ref, content) for ref in single(content)]
    rows[2]["image"]["bytes"] = None
    error = refused(write_parquet(tmp_path / "RefCOCO" / "val.parquet", rows))
    assert "row 2: 'image' holds no bytes" in error.what
    rows[2]["image"]["bytes"] = b"not an image"
    error = refused(write_parquet(tmp_path / "RefCOCO" / "val.parquet", rows))
    assert "row 2: image " in error.what
    assert "cannot be read" in error.what


def test_without_the_package_one_sentence_names_the_extra(content, tmp_path, monkeypatch):
    path = write_pixels(content, tmp_path / "RefCOCO", ("val",))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert recognised(path) == "parquet"
    error = refused(path)
    assert error.exit_code == ExitCode.MISSING
    assert error.fix == ('pip install "remamber-bench[parquet]"',)


def test_a_name_that_no_folder_says_is_asked_for(content, tmp_path):
    folder = write_pixels(content, tmp_path / "download", ("val",))
    error = refused(folder)
    assert error.exit_code == ExitCode.USAGE
    assert "does not say which data set this is" in error.what
    assert "--name refcoco --split-by unc" in error.fix[0]


def test_a_version_of_pyarrow_that_runs_files_is_not_used(content, tmp_path, monkeypatch):
    import pyarrow

    path = write_pixels(content, tmp_path / "RefCOCO", ("val",))
    monkeypatch.setattr(pyarrow, "__version__", "14.0.0")
    error = refused(path)
    assert error.exit_code == ExitCode.MISSING
    assert "pyarrow 14.0.0 is not safe" in error.what


class Touch:
    """Pickles as a call that creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_in_a_files_own_type_is_not_opened(content, tmp_path):
    import pyarrow
    from pyarrow import parquet

    canary = tmp_path / "canary"
    rows = pyarrow.Table.from_pylist([jxu124_row(ref, content) for ref in content.refs])
    hostile = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Touch(canary)),
    }
    position = rows.schema.get_field_index("ref_id")
    kind = pyarrow.field("ref_id", pyarrow.int64(), metadata=hostile)
    path = tmp_path / "refcoco" / "train.parquet"
    path.parent.mkdir()
    parquet.write_table(rows.set_column(position, kind, rows["ref_id"]), path)
    try:
        read_source(SourcePlace(path))
    except UserError as error:
        assert error.exit_code == ExitCode.DAMAGED
    assert not canary.exists()


def test_a_group_of_rows_that_unpacks_to_too_much_is_refused(content, tmp_path, monkeypatch):
    path = write_pixels(content, tmp_path / "RefCOCO", ("val",))
    monkeypatch.setattr(_parquet_files, "LARGEST_GROUP", 1000)
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert "bytes in one group of rows" in error.what
