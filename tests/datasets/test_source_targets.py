"""Shapes whose refs name no target, several, or regions: gRefCOCO, RefClef, PhraseCut."""

import json

import numpy as np
import pytest
from more_shapes import write_mdetr, write_refclef
from other_shapes import told, told_by_refer, write_content
from small_refcoco import python2_pickle

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._segmentation import decode
from remamber.datasets._sources import SourcePlace, read_source, recognised
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


@pytest.fixture
def content(tmp_path):
    return write_content(tmp_path)


def sentence(text, sent_id):
    return {"raw": text, "sent": text, "sent_id": sent_id, "tokens": text.split()}


def write_grefs(content):
    """One ref of one target, one of every object and one of none for each image."""
    folder = content.small.root / "grefcoco"
    folder.mkdir()
    refs = []
    by_image = {}
    for ref in content.refs:
        by_image.setdefault(ref["image_id"], []).append(ref)
    for image_id, members in by_image.items():
        ids, categories = [r["ann_id"] for r in members], [r["category_id"] for r in members]
        for wanted, kinds, text in (
            (ids[:1], categories[:1], "the first one"),
            (ids, categories, "all of them"),
            ([-1], [-1], "the purple elephant"),
        ):
            number = len(refs)
            refs.append(
                {
                    "image_id": image_id,
                    "split": members[0]["split"],
                    "ref_id": number,
                    "ann_id": wanted,
                    "category_id": kinds,
                    "sentences": [sentence(text, number)],
                    "no_target": wanted == [-1],
                    "file_name": f"COCO_train2014_{image_id:012d}.jpg",
                }
            )
    (folder / "grefs(unc).json").write_text(json.dumps(refs))
    (folder / "instances.json").write_text(json.dumps(content.instances))
    return folder, refs


def test_grefcoco_opens_under_a_data_root_with_one_several_and_no_targets(content):
    _, refs = write_grefs(content)
    root = content.small.root
    dataset = open_dataset(DataSpec(name="grefcoco"), DataPlace(root=root))
    plain = open_dataset(DataSpec(name="refcoco"), DataPlace(root=root))
    masks = {ref.ann_ids[0]: plain.mask(ref) for s in plain.splits() for ref in plain.refs(s)}
    seen = {ref.ref_id: ref for split in dataset.splits() for ref in dataset.refs(split)}
    assert len(seen) == len(refs)
    for row in refs:
        ref = seen[row["ref_id"]]
        mask = dataset.mask(ref)
        if row["ann_id"] == [-1]:
            assert ref.ann_ids == ()
            assert ref.category == ""
            assert not mask.any()
        else:
            assert np.array_equal(mask, np.logical_or.reduce([masks[i] for i in row["ann_id"]]))
        assert ref.expressions[0].text == row["sentences"][0]["sent"]
    assert dataset.image(refs[0]["image_id"]).shape[2] == 3


def test_a_pickle_of_grefcocos_refs_is_read_as_plain_data(content, tmp_path):
    folder, refs = write_grefs(content)
    place = DataPlace(root=content.small.root)
    by_json = open_dataset(DataSpec(name="grefcoco"), place)
    (folder / "grefs(unc).json").unlink()
    (folder / "grefs(unc).p").write_bytes(python2_pickle(refs))
    by_pickle = open_dataset(DataSpec(name="grefcoco"), place)
    for split in by_json.splits():
        assert by_json.refs(split) == by_pickle.refs(split)
    canary = tmp_path / "canary"
    (folder / "grefs(unc).p").write_bytes(f"cos\nsystem\n(S'touch {canary}'\ntR.".encode())
    with pytest.raises(
        UserError, match=r"is refused: reading it would load 'os\.system'"
    ) as caught:
        open_dataset(DataSpec(name="grefcoco"), place)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert not canary.exists()


def test_an_image_without_any_object_has_no_objects(content):
    folder, refs = write_grefs(content)
    bare = refs[0]["image_id"]
    kept = [row for row in content.instances["annotations"] if row["image_id"] != bare]
    (folder / "instances.json").write_text(json.dumps({**content.instances, "annotations": kept}))
    rows = [row for row in refs if row["image_id"] != bare or row["ann_id"] == [-1]]
    (folder / "grefs(unc).json").write_text(json.dumps(rows))
    dataset = open_dataset(DataSpec(name="grefcoco"), DataPlace(root=content.small.root))
    assert not dataset.all_objects(bare).any()


@pytest.mark.parametrize(
    ("ann_id", "problem"),
    [
        ([], "names neither targets nor -1 alone"),
        ([-1, 1719310], "names neither targets nor -1 alone"),
        (["1719310"], "is not a list of annotation ids"),
        ("1719310", "'ann_id' is '1719310', expected int or list"),
        ([77], "point to annotations that are not there"),
    ],
)
def test_targets_that_are_no_targets_are_refused(content, ann_id, problem):
    folder, refs = write_grefs(content)
    refs[0]["ann_id"] = ann_id
    (folder / "grefs(unc).json").write_text(json.dumps(refs))
    with pytest.raises(UserError, match=problem) as caught:
        read_source(SourcePlace(folder))
    assert caught.value.exit_code == ExitCode.DAMAGED


def test_grefcoco_without_its_files_names_each_that_is_missing(tmp_path):
    with pytest.raises(UserError) as caught:
        open_dataset(DataSpec(name="grefcoco"), DataPlace(root=tmp_path))
    assert caught.value.exit_code == ExitCode.MISSING
    missing = next(line for line in caught.value.where if line.startswith("missing"))
    names = ("instances.json", "grefs(unc).json", "train2014/")
    assert all(f"{tmp_path}/{folder}" in missing for folder in ("grefcoco/", "train2014/"))
    assert all(name in missing for name in names)


def test_mdetr_json_of_grefcoco_keeps_what_has_no_target(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "mdetr", name="grefcoco")
    path = folder / "finetune_grefcoco_val.json"
    whole = json.loads(path.read_text())
    for entry in whole["annotations"][:2]:
        entry.update(original_id=-1, category_id=-1, bbox=[0, 0, 0, 0], empty=True)
    path.write_text(json.dumps(whole))
    source = read_source(SourcePlace(folder, instances=content.small.instances))
    assert source.name == "grefcoco"
    bare = [ref for ref in source.annotations.splits["val"] if not ref.ann_ids]
    # Two expressions without a target are two refs: nothing says that they belong together.
    assert [len(ref.expressions) for ref in bare] == [1, 1]


def test_refclef_reads_text_ids_run_lengths_and_nested_image_folders(content, tmp_path):
    folder = write_refclef(content, tmp_path / "referit")
    assert recognised(folder) == "refclef"
    source = read_source(SourcePlace(folder))
    assert (source.name, source.split_by) == ("refclef", "berkeley")
    ours = {
        split: sorted((texts, mask) for _, texts, mask in rows)
        for split, rows in told(source).items()
    }
    theirs = {
        split: sorted((texts, mask) for _, texts, mask in rows)
        for split, rows in told_by_refer(content).items()
    }
    assert ours == theirs
    entry = next(iter(source.annotations.images.values()))
    assert (source.images / entry.file_name).is_file()
    assert entry.file_name.startswith("07/images/")
    assert any("numbered from 1 in the file's order" in note for note in source.notes)


def test_refclef_with_two_splits_asks_which(content, tmp_path):
    folder = write_refclef(content, tmp_path / "referit")
    write_refclef(content, tmp_path / "referit", split_by="unc")
    with pytest.raises(UserError, match=r"holds several splits: refs\(berkeley\)") as caught:
        read_source(SourcePlace(folder))
    assert caught.value.exit_code == ExitCode.USAGE
    assert read_source(SourcePlace(folder, split_by="unc")).split_by == "unc"


def test_a_refs_file_of_refclef_that_would_run_code_is_refused(content, tmp_path):
    folder, canary = write_refclef(content, tmp_path / "referit"), tmp_path / "canary"
    (folder / "refs(berkeley).p").write_bytes(f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode())
    with pytest.raises(UserError, match=r"would load 'posix\.system'") as caught:
        read_source(SourcePlace(folder))
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert not canary.exists()


def test_refclef_with_an_unknown_annotation_is_refused(content, tmp_path):
    folder = write_refclef(content, tmp_path / "referit")
    rows = [{**ref, "ann_id": "99_99"} for ref in content.refs]
    (folder / "refs(berkeley).p").write_bytes(python2_pickle(rows))
    with pytest.raises(UserError, match=r"refs\[0\]: 'ann_id' is '99_99', which is not in"):
        read_source(SourcePlace(folder))


SQUARE = [[2.0, 2.0], [20.0, 2.0], [20.0, 20.0], [2.0, 20.0]]
CORNER = [[30.0, 30.0], [40.0, 30.0], [40.0, 40.0]]


def write_phrasecut(root, tasks):
    root.mkdir()
    images = [{"image_id": i, "width": 64, "height": 48, "split": "val"} for i in (7, 8)]
    (root / "image_data_split3000.json").write_text(json.dumps(images))
    (root / "refer_val.json").write_text(json.dumps(tasks))
    return root


def task(phrase, polygons, image_id=7):
    return {
        "task_id": f"{image_id}__1",
        "image_id": image_id,
        "ann_ids": [1],
        "instance_boxes": [[0, 0, 1, 1]] * len(polygons),
        "Polygons": polygons,
        "phrase": phrase,
        "phrase_structure": {"name": "square", "attributes": [], "type": "name"},
    }


def test_a_phrase_of_phrasecut_names_all_its_instances(tmp_path):
    root = write_phrasecut(tmp_path / "p", [task("squares", [[SQUARE], [CORNER, SQUARE]])])
    assert recognised(root) == "phrasecut"
    source = read_source(SourcePlace(root))
    (ref,) = source.annotations.splits["val"]
    assert len(ref.ann_ids) == 2
    assert ref.category == "square"
    assert ref.expressions[0].text == "squares"
    union = np.logical_or.reduce(
        [decode(source.annotations.segmentations[a], 48, 64) for a in ref.ann_ids]
    )
    flat = [[value for point in polygon for value in point] for polygon in (SQUARE, CORNER)]
    assert np.array_equal(union, decode(flat, 48, 64))


def test_phrases_without_a_polygon_are_left_out_and_counted(tmp_path):
    tasks = [task("squares", [[SQUARE]]), task("ghosts", [[], []]), task("half", [[SQUARE], []])]
    source = read_source(SourcePlace(write_phrasecut(tmp_path / "p", tasks)))
    texts = [ref.expressions[0].text for ref in source.annotations.splits["val"]]
    assert texts == ["squares", "half"]
    assert "phrases without any polygon left out: 1" in source.notes
    assert "instances without a polygon left out: 3" in source.notes


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (task("x", [[SQUARE]], image_id=9), r"phrases\[0\]: image 9 is not in the list"),
        (task("x", [[[[1.0, 2.0, 3.0]]]]), "no point of two numbers"),
        ({**task("x", [[SQUARE]]), "Polygons": None}, "'Polygons' is None, expected list"),
        (task(" ", [[SQUARE]]), "have no sentence"),
        (task("x", [[[[1.0, 2.0], [3.0, 4.0]]]]), "have polygons of fewer than three points only"),
    ],
)
def test_damaged_phrases_say_where(tmp_path, broken, problem):
    root = write_phrasecut(tmp_path / "p", [broken])
    with pytest.raises(UserError, match=problem) as caught:
        read_source(SourcePlace(root))
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert str(root) in caught.value.where[0]
