"""``data list`` and ``data convert``: what a newcomer types, in that order."""

import json
import pickle

import pytest
from small_refcoco import write_small_refcoco


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path / "root")


def test_the_list_says_what_is_built_in_and_what_is_there(bench, small):
    said = bench("data", "list", "--data-root", str(small.root))
    assert said.status == 0
    rows = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert "built in" in rows["synth-refcoco"]
    assert "ready (as published)" in rows["refcoco"]
    assert "not there" in rows["refcoco+"]
    images = small.images.rename(small.root / "elsewhere")
    said = bench("data", "list", "--data-root", str(small.root))
    assert "in part" in next(line for line in said.out.splitlines() if line.startswith("refcoco "))
    images.rename(small.images)
    small.refs.unlink()
    said = bench("data", "list", "--data-root", str(small.root))
    assert "in part" in next(line for line in said.out.splitlines() if line.startswith("refcoco "))


@pytest.mark.parametrize(
    "name", ["refcoco", "refcoco+", "refcocog", "grefcoco", "refclef", "phrasecut"]
)
def test_explain_says_what_to_fetch_where_it_goes_and_how_to_check_it(bench, name):
    said = bench("data", "list", "--explain", name)
    assert said.status == 0
    for word in ("fetch", "from", "size", "into", "terms", f"{name}/", "data check", "convert"):
        assert word in said.out
    document = json.loads(bench("data", "list", "--explain", name, "--json").out)
    assert [row["name"] for row in document["datasets"]] == [name]
    assert document["datasets"][0]["state"] is None


def test_explain_of_an_unknown_name_says_the_nearest(bench):
    said = bench("data", "list", "--explain", "refcocoo")
    assert said.status == 2
    assert "did you mean 'refcoco'?" in said.err


def test_the_list_without_torch_is_quick_to_say_what_is_missing(bench, small):
    small.refs.unlink()
    row = json.loads(
        bench("data", "list", "--explain", "refcoco", "--data-root", str(small.root), "--json").out
    )["datasets"][0]
    assert row["state"] == "in part"
    assert row["missing"] == [str(small.refs)]
    assert str(small.images) in row["found"]


def test_convert_writes_what_ablate_then_opens(bench, small):
    said = bench("data", "convert", str(small.root / "refcoco"), "--to", str(small.root))
    assert said.status == 0
    assert "refcoco, split by unc, read as refer" in said.out
    assert "train: 15 refs, 6 images, 30 expressions; published 42,404, 16,994, 120,624" in said.out
    small.instances.unlink()
    small.refs.unlink()
    said = bench("data", "list", "--data-root", str(small.root))
    assert "ready (converted)" in said.out
    place = ("--data", "refcoco", "--data-root", str(small.root), "--profile", "quick")
    assert bench("ablate", "scans", *place, "--only", "channel").status == 0


def test_convert_says_the_same_as_json_and_that_it_was_there(bench, small):
    arguments = ("data", "convert", str(small.root / "refcoco"), "--to", str(small.root), "--json")
    first, second = (json.loads(bench(*arguments).out) for _ in range(2))
    assert (first["written"], second["written"]) == (True, False)
    assert first["splits"]["train"]["refs"] == 15
    assert first["images_missing"] == 0
    assert first["folder"] == second["folder"]


def test_missing_photographs_are_counted(bench, small):
    next(iter(sorted(small.images.iterdir()))).unlink()
    said = bench("data", "convert", str(small.root / "refcoco"), "--to", str(small.root))
    assert said.status == 0
    assert f"images    {small.images}, 1 missing" in said.out


def test_convert_without_a_data_root_asks_for_one(bench, small):
    said = bench("data", "convert", str(small.root / "refcoco"))
    assert said.status == 2
    assert "--to DIR" in said.err


def test_a_hostile_refs_file_is_refused_and_nothing_is_written(bench, small):
    class Hostile:
        def __reduce__(self):
            return print, ("executed",)

    small.refs.write_bytes(pickle.dumps(Hostile()))
    said = bench("data", "convert", str(small.root / "refcoco"), "--to", str(small.root))
    assert said.status == 6
    assert "refused" in said.err
    assert "executed" not in said.out
    assert not list((small.root / "refcoco").glob("converted*"))


def test_an_unknown_shape_and_an_unknown_command_name_the_nearest(bench, small):
    said = bench("data", "convert", str(small.root / "refcoco"), "--shape", "refr")
    assert said.status == 2
    said = bench("data", "lst")
    assert said.status == 2
    assert "Did you mean 'list'?" in said.err
    assert "remamber-bench data --help" in said.err
    assert "remamber-bench data list --help" in bench("data", "list", "--nothing").err
