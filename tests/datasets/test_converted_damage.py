"""Converted data that are damaged: found at opening, by their hashes, or where they are met."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._converted import open_converted
from remamber.datasets._converted_check import changed_columns
from remamber.datasets._converted_columns import DTYPES
from remamber.datasets._converted_write import write_converted
from remamber.datasets._sources import SourcePlace, read_source
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


def convert(small):
    source = read_source(SourcePlace(small.root / "refcoco"), shape="refer")
    return write_converted(source, small.root, shape="refer")


def opened(root):
    return open_dataset(DataSpec(name="refcoco"), DataPlace(root=root))


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path)


def damage_of(small):
    with pytest.raises(UserError) as caught:
        opened(small.root)
    assert (caught.value.exit_code, caught.value.slug) == (ExitCode.DAMAGED, "data_damaged")
    assert "data convert again" in caught.value.fix[0]
    return caught.value.what


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_column_that_is_missing_or_cut_short_is_found_at_opening(small, name):
    path = convert(small).folder / "columns" / f"{name}.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert f"'{name}.npy' has not the size" in damage_of(small)
    path.unlink()
    assert f"'{name}.npy' cannot be read" in damage_of(small)


def rewrite(folder, name, change):
    """Change a column and leave its size as it was."""
    path = folder / "columns" / f"{name}.npy"
    column = np.load(path)
    change(column)
    np.save(path, column)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_anns_at", -1),
        ("ref_sents_at", 10**9),
        ("sent_text_at", 3),
        ("ref_image", 10**6),
        ("ref_ann", -5),
        ("ref_category", 99),
        ("sent_needs", 7),
    ],
)
def test_a_column_that_leads_nowhere_is_found_at_opening(small, name, value):
    rewrite(convert(small).folder, name, lambda column: column.__setitem__(0, value))
    assert f"do not fit together: {name}" in damage_of(small)


def test_a_column_of_objects_is_never_unpickled(small, tmp_path):
    folder = convert(small).folder
    path = folder / "columns" / "ref_id.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    index = json.loads((folder / "index.json").read_text())
    index["columns"]["ref_id"]["bytes"] = path.stat().st_size
    (folder / "index.json").write_text(json.dumps(index))
    assert "'ref_id.npy' cannot be read" in damage_of(small)


def test_damage_inside_a_column_is_found_by_its_hash_and_named_when_it_is_met(small):
    folder = convert(small).folder
    assert changed_columns(folder) == []
    rewrite(folder, "ann_mask", lambda column: column.__setitem__(slice(None), 120))
    rewrite(folder, "sent_text", lambda column: column.__setitem__(0, 255))
    assert changed_columns(folder) == ["ann_mask", "sent_text"]
    dataset = open_converted(folder, mask_rule="union")
    with pytest.raises(UserError, match="'sent_text.npy' is not UTF-8"):
        dataset.refs("train")
    with pytest.raises(UserError, match="has no usable mask"):
        dataset.mask(dataset.refs("val")[0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an index of converted data"),
        ('{"format": "other"}', "is not an index of converted data"),
    ],
)
def test_an_index_that_is_none_is_refused(small, content, said):
    (convert(small).folder / "index.json").write_text(content)
    assert said in damage_of(small)


def test_another_version_of_the_layout_says_to_convert_again(small):
    folder = convert(small).folder
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "version": 2}))
    with pytest.raises(UserError, match="version 2 of the layout, not 1") as caught:
        opened(small.root)
    assert "data convert again" in caught.value.fix[0]


@pytest.mark.parametrize(("value", "says"), [(-5, "no number of pixels"), (2**30, "more pixels")])
def test_a_size_that_no_photograph_has_is_refused_when_the_set_is_opened(small, value, says):
    path = convert(small).folder / "columns" / "image_height.npy"
    column = np.load(path)
    column[1] = value
    np.save(path, column)
    with pytest.raises(UserError, match=says) as caught:
        opened(small.root)
    assert caught.value.exit_code == ExitCode.DAMAGED


def test_another_kind_of_file_under_a_columns_name_is_refused(small):
    folder = convert(small).folder
    path = folder / "columns" / "ref_id.npy"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"")
    index = json.loads((folder / "index.json").read_text())
    index["columns"]["ref_id"]["bytes"] = path.stat().st_size
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="'ref_id.npy' cannot be read") as caught:
        opened(small.root)
    assert caught.value.exit_code == ExitCode.DAMAGED


@pytest.mark.parametrize("name", ["converted(unc)", ".converted(unc).making"])
def test_a_link_in_the_way_is_taken_away_and_what_it_leads_to_is_left_alone(small, name):
    precious = small.root / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    (small.root / "refcoco" / name).symlink_to(precious)
    assert convert(small).anew
    assert [path.name for path in precious.iterdir()] == ["file"]
    folder = small.root / "refcoco"
    assert not [path for path in folder.iterdir() if path.is_symlink()]
    assert opened(small.root).refs("train")


def test_what_it_was_converted_from_is_known_from_any_folder(small, monkeypatch):
    monkeypatch.chdir(small.root)
    source = read_source(SourcePlace(Path("refcoco")), shape="refer")
    index = write_converted(source, small.root, shape="refer").index
    assert set(index.sources) == {str(small.instances), str(small.refs)}


def test_changed_raw_files_beside_the_converted_ones_are_warned_of(small, caplog):
    convert(small)
    small.instances.write_text(small.instances.read_text() + " ")
    opened(small.root)
    assert "convert it again" in caplog.text
