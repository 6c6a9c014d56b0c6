"""``data synth`` writes whole data sets, ``data check`` judges them, and both say how to mend."""

import errno
import json
import os
from dataclasses import replace

import pytest

from remamber.datasets import synthetic
from remamber.datasets._synthetic import recipes
from remamber.datasets._synthetic.knobs import PRESETS, SplitSize


@pytest.fixture
def few(monkeypatch):
    """The quick preset with a few pictures."""
    sizes = {"train": 40, "val": 24, "testA": 8, "testB": 8, "testC": 8}
    splits = tuple((name, SplitSize(count, 2)) for name, count in sizes.items())
    monkeypatch.setitem(recipes.PRESETS, "quick", replace(PRESETS["quick"], splits=splits))


@pytest.fixture
def synth(bench, few, tmp_path):
    def run(*arguments):
        said = bench("data", "synth", *arguments, "--out", str(tmp_path / "data"), "--quiet")
        assert said.status == 0, said.err
        return said.out

    return run


def test_synth_writes_a_folder_and_says_how_to_check_it(synth, tmp_path):
    said = synth("synth-refcocog", "--seed", "3")
    assert "synth-refcocog, quick, default, seed 3, 64x64 px" in said
    assert f"remamber-bench data check synth-refcocog --data-root {tmp_path / 'data'}" in said
    kept = json.loads((tmp_path / "data" / "synth.json").read_text())
    assert (kept["style"], kept["seed"], kept["difficulty"]) == ("synth-refcocog", 3, "default")


def test_synth_in_json_counts_every_split(synth):
    found = json.loads(synth("synth-grefcoco", "--difficulty", "hard", "--json"))
    assert found["splits"]["train"]["images"] == 40
    assert found["difficulty"] == "hard"
    assert found["bytes"] > 1000


def test_synth_writes_other_forms_and_sizes(synth, tmp_path):
    synth("synth-refcoco", "--size", "96", "--format", "jpg", "--segmentation", "polygon")
    names = {path.suffix for path in (tmp_path / "data" / "train2014").iterdir()}
    assert names == {".jpg"}
    content = json.loads((tmp_path / "data" / "refcoco" / "instances.json").read_text())
    assert content["images"][0]["width"] == 96
    assert isinstance(content["annotations"][0]["segmentation"][0], list)


def test_synth_touches_no_folder_that_holds_something(bench, few, tmp_path):
    (tmp_path / "mine").write_text("keep")
    said = bench("data", "synth", "synth-refcoco", "--out", str(tmp_path))
    assert said.status == 2
    assert "is not an empty folder" in said.err
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "state") == ["mine"]


def test_a_full_disk_leaves_nothing_and_names_another_way(bench, few, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(synthetic, "write_layout", full)
    said = bench("data", "synth", "synth-refcoco", "--out", str(tmp_path / "new" / "data"))
    assert said.status == 3
    assert "no space left" in said.err.lower()
    assert "--out DIR" in said.err
    # The lock of the folder may stay: another process may be waiting for it.
    assert [p.name for p in (tmp_path / "new").iterdir()] in ([], [".data.lock"])


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["synth-refcocg"], "synth-refcocog"),
        (["synth-refcoco", "--preset", "papershaped"], "paper-shaped"),
        (["synth-refcoco", "--difficulty", "eazy"], "easy"),
        (["synth-refcoco", "--format", "jpeg"], "jpg"),
        (["synth-refcoco", "--segmentation", "polygons"], "polygon"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(bench, tmp_path, arguments, nearest):
    said = bench("data", "synth", *arguments, "--out", str(tmp_path / "data"))
    assert said.status == 2
    assert nearest in said.err.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_check_reads_what_synth_wrote(bench, synth, tmp_path):
    synth("synth-refcoco")
    said = bench("data", "check", "synth-refcoco", "--data-root", str(tmp_path / "data"))
    assert "predict-all" in said.out
    assert "evaluator" in said.out
    assert "verdict:" in said.out.splitlines()[-1]
    assert said.status == (1 if "fail" in said.out.splitlines()[-1] else 0)


def test_check_in_json_has_every_gate_with_its_limit(bench, synth, tmp_path):
    synth("synth-refcoco+")
    root = str(tmp_path / "data")
    found = json.loads(bench("data", "check", "synth-refcoco+", "--data-root", root, "--json").out)
    gates = {(gate["name"], gate["metric"]): gate for gate in found["gates"]}
    assert gates["evaluator", "share"]["value"] == 1.0
    assert gates["predict-all", "mIoU"]["limit"] == "<= 0.25"
    assert found["settings"]["knobs"]["objects"] == [3, 7]
    assert found["splits"]["val"]["images"] == 24


def test_check_names_the_data_that_are_there_instead(bench, synth, tmp_path):
    synth("synth-refcoco")
    said = bench("data", "check", "synth-refcocog", "--data-root", str(tmp_path / "data"))
    assert said.status == 2
    assert "holds synth-refcoco, not synth-refcocog" in said.err


def test_broken_provenance_is_damage(bench, synth, tmp_path):
    synth("synth-refcoco")
    path = tmp_path / "data" / "synth.json"
    path.write_text(path.read_text()[:500])
    said = bench("data", "check", "synth-refcoco", "--data-root", str(tmp_path / "data"))
    assert said.status == 6
    assert "generate the data again" in said.err


def test_a_data_set_trains_from_where_it_was_exported_to(synth, tmp_path):
    from remamber.datasets import DataPlace, open_dataset
    from remamber.plan.spec import DataSpec

    synth("synth-refcocog")
    place = DataPlace(root=tmp_path / "data", cache=tmp_path / "cache")
    spec = DataSpec(name="synth-refcocog")
    dataset = open_dataset(spec, place)
    assert dataset.location == tmp_path / "data" / "refcocog"
    assert dataset.fingerprint == synthetic.config_fingerprint(spec)
    other = open_dataset(DataSpec(name="synth-refcocog", seed=1), place)
    assert other.location.is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize("ending", ["md", "html"])
def test_a_card_has_the_gates_and_a_sheet_of_samples(bench, synth, tmp_path, ending):
    synth("synth-grefcoco")
    card = tmp_path / f"card.{ending}"
    root = ("--data-root", str(tmp_path / "data"))
    bench("data", "check", "synth-grefcoco", *root, "--card", str(card))
    text = card.read_text()
    assert "predict-all" in text
    assert "images with the target outlined" in text
    if ending == "md":
        assert "![" in text
        assert (tmp_path / "card.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    else:
        assert "data:image/png;base64," in text
        assert "http" not in text.replace("http://www.w3.org", "")


def test_a_card_of_another_kind_is_refused_before_anything_is_read(bench):
    said = bench("data", "check", "synth-refcoco", "--card", "card.pdf")
    assert said.status == 2
    assert "ends in neither .md nor .html" in said.err


def test_a_size_that_no_model_takes_is_refused_before_anything_is_read(bench):
    said = bench("data", "check", "synth-refcoco", "--learn", "--size", "100")
    assert said.status == 2
    assert "--size 96" in said.err


def test_real_data_are_checked_and_not_judged(bench, data_root):
    said = bench("data", "check", "--data", "refcoco", "--data-root", str(data_root))
    assert said.status == 0
    assert "warning: not the published number" in said.out
    assert "shown, not judged" in said.out


def test_without_a_data_root_real_data_are_missing(bench):
    said = bench("data", "check", "refcoco")
    assert said.status == 3
    assert "--data-root" in said.err


@pytest.mark.slow
def test_learning_adds_its_gates(bench, synth, tmp_path, monkeypatch):
    from remamber.tasks import _learnability

    monkeypatch.setattr(_learnability, "OVERFIT_STEPS", 2)
    monkeypatch.setattr(_learnability, "READING_STEPS", 2)
    monkeypatch.setattr(_learnability, "_CHECKED_EVERY", 1)
    synth("synth-grefcoco")
    root = str(tmp_path / "data")
    said = bench("data", "check", "synth-grefcoco", "--data-root", root, "--learn", "--json")
    gates = {gate["name"]: gate for gate in json.loads(said.out)["gates"]}
    assert gates["by heart"]["state"] == "fail", "two steps teach nothing"
    assert gates["text matters"]["limit"] == ">= 1.4"
    assert 0 < gates["reading"]["value"] < 1
    assert said.status == 1
