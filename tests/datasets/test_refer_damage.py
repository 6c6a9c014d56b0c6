"""Bad annotation files: each by its exit code and by the line that the user sees."""

import json
import pickle

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


def refused(root, name="refcoco", **spec):
    with pytest.raises(UserError) as caught:
        open_dataset(DataSpec(name=name, **spec), DataPlace(root=root))
    assert caught.value.fix
    return caught.value


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path)


@pytest.fixture
def refs(small):
    return pickle.loads(small.refs.read_bytes(), encoding="latin1")


@pytest.fixture
def instances(small):
    return json.loads(small.instances.read_text())


def damage(small):
    error = refused(small.root)
    assert error.exit_code == ExitCode.DAMAGED
    assert error.slug == "data_damaged"
    assert error.where[0].startswith("file  ")
    return error


@pytest.mark.parametrize("name", ["refcoco", "refcoco+", "refcocog"])
def test_no_data_root_says_so_and_offers_the_built_in_set(name):
    error = refused(None, name)
    assert (error.exit_code, error.slug) == (ExitCode.MISSING, "dataset_missing")
    assert error.what == f"data set '{name}' needs a data root and none was given"
    assert error.fix[0] == "add --data-root DIR"
    assert any("--data synth-refcoco" in line for line in error.fix)


@pytest.mark.parametrize("part", ["instances", "refs", "images"])
def test_a_missing_part_is_named_beside_what_was_found(small, part):
    path = getattr(small, part)
    path.rename(path.with_name("elsewhere"))
    error = refused(small.root)
    assert (error.exit_code, error.slug) == (ExitCode.MISSING, "dataset_missing")
    assert error.what == f"data set 'refcoco' not found under {small.root}"
    lines = {line.split()[0]: line for line in error.where}
    others = [small.instances, small.refs, small.images]
    others.remove(path)
    assert all(str(other) in lines["looked"] for other in (*others, path))
    assert all(
        str(other) in lines["found"] and str(other) not in lines["missing"] for other in others
    )
    assert str(path) in lines["missing"]
    assert str(path) not in lines["found"]
    assert any("refcoco.zip" in line for line in error.fix)


def test_a_data_root_that_is_no_folder_is_said(tmp_path):
    error = refused(tmp_path / "nowhere")
    assert f"because     {tmp_path / 'nowhere'} is not a folder" in error.where
    assert "found       none" in error.where


def test_a_data_root_one_level_too_deep_is_recognised(small):
    error = refused(small.root / "refcoco")
    assert any("the folder that holds refcoco/, one level up" in line for line in error.where)


def test_another_split_by_is_used_if_asked_for_and_names_those_there_if_absent(small):
    error = refused(small.root, split_by="google")
    assert "refs(google).p" in error.where[0]
    assert "hint        other splits are there: refs(unc).p" in error.where
    small.refs.rename(small.refs.with_name("refs(google).p"))
    spec = DataSpec(name="refcoco", split_by="google")
    assert open_dataset(spec, DataPlace(root=small.root)).refs("val")


def test_g_ref_is_read_by_the_umd_split(tmp_path):
    write_small_refcoco(
        tmp_path, folder="refcocog", split_by="umd", splits=("train", "val", "test")
    )
    dataset = open_dataset(DataSpec(name="refcocog"), DataPlace(root=tmp_path))
    assert dataset.splits() == ("train", "val", "test")


def test_refcoco_plus_is_read_from_its_own_folder(tmp_path):
    write_small_refcoco(tmp_path, folder="refcoco+")
    assert open_dataset(DataSpec(name="refcoco+"), DataPlace(root=tmp_path)).refs("testA")


def test_instances_cut_short_say_where(small):
    whole = small.instances.read_text()
    small.instances.write_text(whole[: len(whole) // 2])
    error = damage(small)
    assert "'instances.json' is not whole JSON" in error.what
    assert f"of {len(whole) // 2:,} bytes" in error.what
    assert str(small.instances) in error.where[0]


def test_instances_that_are_not_utf8_are_refused(small):
    small.instances.write_bytes(b'{"images": "\xff\xfe\xff"}')
    assert "not JSON in UTF-8" in damage(small).what


def test_instances_nested_without_end_are_refused(small):
    small.instances.write_text("[" * 200_000 + "]" * 200_000)
    assert "not JSON" in damage(small).what


def cut(table, key):
    return lambda content: content[table][1].pop(key)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.pop("annotations"), "nothing where the list of annotations should be"),
        (lambda c: c.update(images={}), "a dict where the list of images should be"),
        (lambda c: c["images"].insert(2, 5), r"images\[2\]: a int where a dict should be"),
        (cut("images", "file_name"), r"images\[1\]: no 'file_name'"),
        (cut("annotations", "segmentation"), r"annotations\[1\]: no 'segmentation'"),
        (lambda c: c["images"][0].update(height="72"), "'height' is '72', expected int"),
        (
            lambda c: c["annotations"][0].update(segmentation=7),
            "'segmentation' is 7, expected list or dict",
        ),
        (lambda c: c["images"][0].update(file_name="../../x.jpg"), "leaves its folder"),
        (lambda c: c["images"][0].update(file_name="/etc/x.jpg"), "leaves its folder"),
        (lambda c: c["images"][0].update(file_name="x" * 300), "cannot name a file"),
        (lambda c: c["images"][0].update(file_name="\ud800.jpg"), "cannot name a file"),
        (lambda c: c["images"][0].update(height=2**40), "which is no number of pixels"),
        (lambda c: c["images"][0].update(height=-3), "'height' is -3, which is no number of"),
        (lambda c: c["images"][0].update(height=60_000, width=60_000), "60000x60000 pixels"),
        (lambda c: c["images"][0].update(id=2**70), "'id' is a number of 71 bits, expected int"),
        (lambda c: c["images"][0].update(id=True), "'id' is True, expected int"),
        (lambda c: c["annotations"].append(c["annotations"][3]), "of annotations stands twice"),
        (lambda c: c["images"].append(c["images"][0]), "of images stands twice"),
    ],
)
def test_instances_of_a_wrong_structure_are_named_by_row(small, instances, change, reason):
    change(instances)
    small.instances.write_text(json.dumps(instances))
    with pytest.raises(
        UserError, match=f"'instances.json' is not COCO's instances format: .*{reason}"
    ):
        open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))
    damage(small)


def test_instances_that_hold_a_list_are_refused(small):
    small.instances.write_text("[]")
    assert "it holds a list, not a dict" in damage(small).what


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r[2].pop("ann_id"), r"refs\[2\]: no 'ann_id'"),
        (lambda r: r[2].update(ann_id="16"), r"refs\[2\]: 'ann_id' is '16', expected int"),
        (lambda r: r[2].update(split=3), r"refs\[2\]: 'split' is 3, expected str"),
        (lambda r: r.append(None), "a NoneType where a dict should be"),
        (lambda r: r[1]["sentences"][0].pop("sent_id"), r"refs\[1\]: sentences\[0\]: no 'sent_id'"),
        (lambda r: r[1].update(sentences="red ball"), "'sentences' is 'red ball', expected list"),
        (lambda r: r[1].update(sentences=["red ball"]), "a str where a sentence should be"),
        (lambda r: [r[0]["sentences"][0].pop(k) for k in ("raw", "sent")], "no 'raw'"),
        (lambda r: r.append(r[0]), "ref 0 stands twice"),
        (lambda r: r[1]["sentences"][0].update(needs=[[1]]), "'needs' is not a list of text"),
        (lambda r: r[1]["sentences"][0].update(sent="a \ud800"), "ref 1 holds half a character"),
        (lambda r: r[1].update(ref_id=2**70), "'ref_id' is a number of 71 bits"),
    ],
)
def test_refs_of_a_wrong_structure_are_named_by_row(small, refs, change, reason):
    change(refs)
    small.refs.write_bytes(pickle.dumps(refs))
    with pytest.raises(UserError, match=rf"'refs\(unc\)\.p' is not a REFER refs file: .*{reason}"):
        open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))
    damage(small)


def test_refs_without_their_annotations_are_counted(small, refs, instances):
    gone = instances["annotations"][4:7]
    del instances["annotations"][4:7]
    small.instances.write_text(json.dumps(instances))
    error = damage(small)
    assert error.what == (
        f"3 of {len(refs)} refs in 'refs(unc).p' point to annotations that are not there"
    )
    wrong = [ref["ref_id"] for ref in refs if ref["ann_id"] in {a["id"] for a in gone}]
    assert f"refs  {', '.join(str(ref_id) for ref_id in wrong)}" in error.where
    assert "same release" in error.fix[0]


def test_refs_without_their_images_are_counted(small, refs, instances):
    del instances["images"][0]
    small.instances.write_text(json.dumps(instances))
    assert "refs in 'refs(unc).p' point to images that are not there" in damage(small).what


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda r: r[0].update(image_id=r[-1]["image_id"]),
            "in another image than their annotation",
        ),
        (lambda r: r[0].update(sentences=[]), "have no sentence"),
    ],
)
def test_refs_that_do_not_fit_are_counted(small, refs, change, reason):
    change(refs)
    small.refs.write_bytes(pickle.dumps(refs))
    error = damage(small)
    assert error.what.startswith(f"1 of {len(refs)} refs")
    assert reason in error.what


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a.update(segmentation=[[1, 2, 3, 4]]), "fewer than three points"),
        (lambda a: a.update(segmentation=[]), "fewer than three points"),
    ],
)
def test_annotations_that_do_not_fit_are_counted(small, instances, change, reason):
    change(instances["annotations"][0])
    small.instances.write_text(json.dumps(instances))
    assert reason in damage(small).what


def test_a_pickle_that_would_run_code_is_refused_when_the_set_is_opened(small, tmp_path):
    canary = tmp_path / "canary"
    small.refs.write_bytes(f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode())
    error = damage(small)
    assert error.what == "'refs(unc).p' is refused: reading it would load 'posix.system'"
    assert str(small.refs) in error.where[0]
    assert not canary.exists()


def test_refs_cut_short_are_damaged(small):
    small.refs.write_bytes(small.refs.read_bytes()[:-10])
    assert "'refs(unc).p' is not a readable pickle" in damage(small).what


def test_a_json_refs_file_cut_short_is_damaged_and_the_pickle_is_not_taken_instead(small, refs):
    text = json.dumps(refs)
    small.refs.with_suffix(".json").write_text(text[:-10])
    assert "'refs(unc).json' is not whole JSON" in damage(small).what


def test_annotations_without_an_image_are_counted_and_images_without_annotations_are_fine(
    small, instances, caplog
):
    instances["annotations"].append({**instances["annotations"][0], "id": 1, "image_id": 99})
    instances["images"].append({**instances["images"][0], "id": 98})
    small.instances.write_text(json.dumps(instances))
    assert open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root)).refs("train")
    assert "annotations in images that the file does not list, not used: 1" in caplog.text
