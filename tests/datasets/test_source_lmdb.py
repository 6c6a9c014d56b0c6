"""LMDB files of other projects: hostile, cut short, or of a serialisation that nobody reads."""

import json
import os
import pickle
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from other_shapes import (
    cris_row,
    lmdb_row,
    told,
    told_by_refer,
    write_content,
    write_cris,
    write_lmdb,
    write_lmdb_split,
)
from small_refcoco import python2_pickle

from remamber.datasets._sources import SourcePlace, _lmdb_file, read_source, recognised
from remamber.errors import ExitCode, UserError


@pytest.fixture
def content(tmp_path):
    return write_content(tmp_path / "data", images=6)


@pytest.fixture
def rows(content):
    return [lmdb_row(ref, content) for ref in content.refs if ref["split"] == "val"]


def refused(path, **given):
    with pytest.raises(UserError) as caught:
        read_source(SourcePlace(path, **given))
    assert caught.value.fix
    return caught.value


class Calls:
    """Pickles as a call, which a naive reader of the values performs."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile(canary):
    touch = f"touch {canary}"
    return {
        "os.system": Calls(os.system, touch),
        "eval": Calls(eval, f"__import__('os').system({touch!r})"),
        "Popen": Calls(subprocess.Popen, touch, -1, None, None, None, None, None, True, True),
        "open": Calls(open, str(canary), "w"),
        "array": np.zeros(3),
    }


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("key", ["img", "mask", "sents"])
@pytest.mark.parametrize("name", sorted(hostile("x")))
def test_a_value_that_would_run_code_is_refused_and_nothing_runs(
    name, key, protocol, rows, tmp_path
):
    canary = tmp_path / "canary"
    bad = {**rows[0], key: hostile(canary)[name]}
    path = write_lmdb_split(
        tmp_path / "refcoco" / "val.lmdb",
        [rows[0], pickle.dumps(bad, protocol=protocol)],
    )
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert "'val.lmdb' is refused: reading it would load" in error.what
    assert not canary.exists()


def test_a_naive_reader_would_have_created_the_canary(rows, tmp_path):
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps({**rows[0], "img": hostile(canary)["os.system"]}))
    assert canary.exists()


def test_hostile_keys_are_refused_too(rows, tmp_path):
    canary = tmp_path / "canary"

    def dumps(value):
        # The list of keys and its length are values like any other.
        return pickle.dumps(Calls(os.system, f"touch {canary}") if value == 1 else value)

    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", rows[:1], dumps=dumps)
    assert refused(path).exit_code == ExitCode.DAMAGED
    assert not canary.exists()


def test_an_lmdb_in_a_folder_of_its_own_is_read(content, tmp_path):
    folder = tmp_path / "refcoco"
    for split in content.splits():
        (folder / f"{split}.lmdb").mkdir(parents=True)
    write_lmdb(content, folder, subdir=True)
    assert recognised(folder) == "lmdb"
    assert told(read_source(SourcePlace(folder))) == told_by_refer(content)


def test_pixels_are_given_as_they_were_stored(content, tmp_path):
    source = read_source(SourcePlace(write_lmdb(content, tmp_path / "refcoco")))
    for ref in content.refs:
        assert source.images(ref["image_id"]) == content.jpeg(ref)


def test_values_pickled_by_python_2_are_read(content, tmp_path):
    def dumps(value):
        as_text = {
            key: part.decode("latin1") if isinstance(part, bytes) else part
            for key, part in (value.items() if isinstance(value, dict) else ())
        }
        if isinstance(value, list):
            return python2_pickle([key.decode() for key in value])
        return python2_pickle(as_text or value)

    source = read_source(SourcePlace(write_lmdb(content, tmp_path / "refcoco", dumps=dumps)))
    assert told(source) == told_by_refer(content)
    assert source.images(content.refs[0]["image_id"]) == content.jpeg(content.refs[0])


def test_values_in_pyarrows_old_serialisation_are_named(rows, tmp_path):
    def dumps(value):
        # No tensors, arrays or buffers, then an Arrow stream.
        return struct.pack("<5i", 0, 0, 0, 0, 0) + b"\xff\xff\xff\xff" + bytes(60)

    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", rows, dumps=dumps)
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert (
        error.what == "'val.lmdb' is in pyarrow's old serialisation, which pyarrow no longer reads"
    )
    assert any("--shape cris" in line for line in error.fix)


@pytest.mark.parametrize("part", [0.0, 0.0001, 0.3, 0.6, 0.99])
def test_an_lmdb_cut_short_is_an_error_and_never_the_end_of_the_process(part, rows, tmp_path):
    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    # In a process of its own: pages beyond the end of a mapped file kill whoever touches them.
    code = (
        "import sys; from pathlib import Path\n"
        "from remamber.datasets._sources import SourcePlace, read_source\n"
        "from remamber.errors import UserError\n"
        "try:\n    read_source(SourcePlace(Path(sys.argv[1])))\n"
        "except UserError as error:\n    print(int(error.exit_code), error.what)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6 'val.lmdb' is ")


def test_no_file_is_written_beside_what_is_read(rows, tmp_path):
    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", rows)
    (tmp_path / "refcoco" / "val.lmdb-lock").unlink()
    read_source(SourcePlace(path))
    assert [found.name for found in path.parent.iterdir()] == ["val.lmdb"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sents": ["a", 7]}, "key '1': 'sents' is not a list of text"),
        ({"num_sents": 5}, "5 sentences are announced, 2 are there"),
        ({"seg_id": "x"}, "'seg_id' is 'x', expected int"),
        ({"mask": b"no picture"}, "the mask of ref 9. cannot be read"),
        ({"img_name": "../../etc/passwd.jpg"}, "'img_name' leaves its folder"),
        ({"img_name": "photo.jpg"}, "no image id in the name"),
        ({"sents": [], "num_sents": 0}, "1 of 2 refs in 'refcoco' have no sentence"),
        ({"sents": [" ", ""]}, "1 of 2 refs in 'refcoco' have no sentence"),
    ],
)
def test_a_damaged_row_says_which_key(change, problem, rows, tmp_path):
    path = write_lmdb_split(
        tmp_path / "refcoco" / "val.lmdb",
        [{**rows[0], "seg_id": 98}, {**rows[1], "seg_id": 99, **change}],
    )
    error = refused(path)
    assert error.exit_code == ExitCode.DAMAGED
    assert re.search(problem, error.what), error.what


def test_one_ref_twice_is_refused(rows, tmp_path):
    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", [rows[0], rows[0]])
    assert "stands twice" in refused(path).what


def test_keys_without_values_and_rows_without_keys_are_refused(rows, tmp_path):
    import lmdb

    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", rows[:2])
    environment = lmdb.open(str(path), subdir=False, map_size=2**26)
    with environment.begin(write=True) as transaction:
        transaction.delete(b"1")
    environment.close()
    assert "nothing under the key '1'" in refused(path).what
    with (
        lmdb.open(str(path), subdir=False, map_size=2**26) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"__len__", pickle.dumps(3))
    assert "says that it holds 3 rows and lists 2" in refused(path).what
    with (
        lmdb.open(str(path), subdir=False, map_size=2**26) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.delete(b"__keys__")
    assert "nothing under the key '__keys__'" in refused(path).what


def test_the_package_lmdb_is_not_needed(content, tmp_path, monkeypatch):
    folder = write_lmdb(content, tmp_path / "refcoco")
    monkeypatch.setitem(sys.modules, "lmdb", None)
    assert told(read_source(SourcePlace(folder))) == told_by_refer(content)


def test_what_a_shape_cannot_say_is_noted(content, tmp_path):
    source = read_source(SourcePlace(write_lmdb(content, tmp_path / "refcoco")))
    assert any("overlap" in note for note in source.notes)
    assert any("no expression names" in note for note in source.notes)
    assert any("numbered" in note for note in source.notes)


def test_the_splits_maker_of_refcocog_is_told_by_the_folder_or_asked_for(content, tmp_path):
    folder = write_lmdb(content, tmp_path / "refcocog_g")
    assert read_source(SourcePlace(folder)).split_by == "google"
    plain = folder.rename(tmp_path / "refcocog")
    error = refused(plain)
    assert error.exit_code == ExitCode.USAGE
    assert "does not say who made the splits of refcocog" in error.what
    assert read_source(SourcePlace(plain, split_by="umd")).split_by == "umd"


def test_a_missing_mask_of_cris_is_named(content, tmp_path):
    anns = write_cris(content, tmp_path)
    (tmp_path / "masks" / "refcoco" / "0.png").unlink()
    error = refused(anns)
    assert error.exit_code == ExitCode.DAMAGED
    assert "refs[0]: the mask of ref 0 is not there" in error.what


def test_masks_of_cris_that_are_nowhere_are_missing(content, tmp_path):
    anns = write_cris(content, tmp_path)
    (tmp_path / "masks" / "refcoco").rename(tmp_path / "elsewhere")
    error = refused(anns)
    assert error.exit_code == ExitCode.MISSING
    assert str(tmp_path / "masks" / "refcoco") in error.where[0]


def test_two_data_sets_of_cris_ask_which(content, tmp_path):
    write_cris(content, tmp_path)
    write_cris(content, tmp_path, name="refcoco+")
    error = refused(tmp_path)
    assert error.exit_code == ExitCode.USAGE
    assert "holds several data sets: refcoco, refcoco+" in error.what
    assert read_source(SourcePlace(tmp_path, name="refcoco+")).name == "refcoco+"


def test_a_mask_cut_short_and_rows_that_disagree_are_refused(content, tmp_path):
    anns = write_cris(content, tmp_path)
    mask = tmp_path / "masks" / "refcoco" / "0.png"
    whole = mask.read_bytes()
    mask.write_bytes(whole[: len(whole) // 2])
    assert "the mask of ref 0 cannot be read" in refused(anns).what
    mask.write_bytes(whole)
    row = cris_row(content.refs[0], content)
    (anns / "val.json").write_text(json.dumps([row]))
    assert "stands twice" in refused(anns).what


def test_the_numbers_of_refclefs_categories_are_not_taken_for_cocos(content, tmp_path):
    anns = write_cris(content, tmp_path, name="refclef")
    refs = read_source(SourcePlace(anns)).annotations.splits["val"]
    assert {ref.category for ref in refs} == {""}


def test_a_value_larger_than_any_row_is_refused(rows, tmp_path, monkeypatch):
    path = write_lmdb_split(tmp_path / "refcoco" / "val.lmdb", rows)
    monkeypatch.setattr(_lmdb_file, "LARGEST_VALUE", 1000)
    assert re.search(r"a value of [\d,]+ bytes, 1,000 is the limit", refused(path).what)
