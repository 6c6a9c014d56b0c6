"""REFER's own layout as a shape: how it is recognised, named and read; JSON that breaks off."""

import json
import pickle

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets import _json_file as json_file
from remamber.datasets._json_file import read_json
from remamber.datasets._sources import SHAPES, SourcePlace, read_source, recognised, shapes
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


def read(path, **given):
    return read_source(SourcePlace(path, **given), shape="refer")


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path)


def test_the_folder_and_either_file_are_recognised_as_refers(small):
    for path in (small.root / "refcoco", small.instances, small.refs):
        assert recognised(path) == "refer"
        assert SHAPES.get("refer").recognises(path)


def test_what_is_no_data_set_is_of_no_known_shape_and_the_shapes_are_listed(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="no known shape") as caught:
        recognised(tmp_path)
    assert {line.split()[0] for line in caught.value.where} == set(shapes())
    with pytest.raises(UserError, match="nothing to read") as caught:
        recognised(tmp_path / "nowhere")
    assert caught.value.exit_code == ExitCode.MISSING


def test_every_shape_says_what_it_is_in_one_line():
    assert "refer" in shapes()
    assert all(about.endswith(".") for about in shapes().values())


def test_name_splits_images_and_fingerprint_are_those_of_the_opened_data_set(small):
    source = read(small.root / "refcoco")
    dataset = open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))
    assert (source.name, source.split_by) == ("refcoco", "unc")
    assert source.images == small.images
    assert source.fingerprint == dataset.fingerprint
    assert list(source.files) == [str(small.instances), str(small.refs)]
    assert list(source.annotations.splits["val"]) == dataset.refs("val")


def test_a_folder_of_another_name_needs_the_data_sets_name(small):
    moved = small.root / "download"
    (small.root / "refcoco").rename(moved)
    with pytest.raises(UserError, match="does not say which data set") as caught:
        read(moved)
    assert "--name refcoco" in caught.value.fix[0]
    assert read(moved, name="refcoco").name == "refcoco"


def test_splits_of_two_makers_beside_each_other_are_never_mixed(small):
    other = small.refs.with_name("refs(umd).p")
    other.write_bytes(small.refs.read_bytes())
    with pytest.raises(UserError, match="holds several splits") as caught:
        read(small.root / "refcoco")
    assert caught.value.exit_code == ExitCode.USAGE
    assert [line.rpartition(" ")[2] for line in caught.value.fix] == ["umd", "unc"]
    assert read(small.root / "refcoco", split_by="umd").split_by == "umd"
    assert read(other).split_by == "umd"
    with pytest.raises(UserError, match=r"no 'refs\(google\).p'") as caught:
        read(small.root / "refcoco", split_by="google")
    assert caught.value.exit_code == ExitCode.MISSING


def test_json_is_preferred_to_the_pickle_beside_it(small):
    refs = pickle.loads(small.refs.read_bytes(), encoding="latin1")
    small.refs.with_suffix(".json").write_text(json.dumps(refs[:5]))
    source = read(small.root / "refcoco")
    assert str(small.refs.with_suffix(".json")) in source.files
    assert sum(map(len, source.annotations.splits.values())) == 5
    assert len(read(small.refs).files) == 2
    assert str(small.refs) in read(small.refs).files


def test_images_elsewhere_are_named_and_none_is_no_error_before_pixels_are_needed(small, tmp_path):
    elsewhere = tmp_path / "photographs"
    small.images.rename(elsewhere)
    assert read(small.root / "refcoco").images is None
    assert read(small.root / "refcoco", images=elsewhere).images == elsewhere


def test_refclef_is_left_to_its_own_shape(tmp_path):
    small = write_small_refcoco(tmp_path, folder="refclef", split_by="berkeley")
    assert not SHAPES.get("refer").recognises(small.refs.parent)


def cut(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_json(path)
    assert caught.value.exit_code == ExitCode.DAMAGED
    return caught.value.what


def test_json_that_breaks_off_is_found_before_it_is_parsed(tmp_path, monkeypatch):
    def parsed(text):
        raise AssertionError("the whole file was parsed")

    whole = json.dumps({"annotations": [{"id": n} for n in range(50)]}, indent=1).encode()
    monkeypatch.setattr(json, "loads", parsed)
    said = cut(tmp_path / "x.json", whole[:300] + b"\n  ")
    lines = whole[:300].decode().split("\n")
    assert f"line {len(lines) + 1} column 3 of 303 bytes" in said
    assert "breaks off before its last }" in said


def test_json_that_is_wrong_inside_says_the_line_and_column(tmp_path):
    assert "line 2 column 4" in cut(tmp_path / "x.json", b'{"a": [1,\n 2 3]}')
    assert "at byte 7" in cut(tmp_path / "x.json", b'{"a": "\xff"}')
    assert "not whole JSON" in cut(tmp_path / "x.json", b"")


def test_a_file_larger_than_any_annotations_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_file, "LARGEST", 2**30)
    path = tmp_path / "x.json"
    with path.open("wb") as stream:
        stream.truncate(2**30 + 1)
    with pytest.raises(UserError, match="too large: 1,073,741,825 bytes, 1 GiB is the limit"):
        read_json(path)


def test_a_byte_order_mark_is_no_part_of_the_json(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path).content == {"a": 1}
