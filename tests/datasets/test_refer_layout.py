"""The REFER layout: what is read where, in which order, by which mask rule."""

import gc
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_refcoco import write_small_refcoco

from remamber.datasets._refer_layout import open_refer
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


def opened(root, *, split_by="unc", **spec):
    return open_refer(
        root, DataSpec(name="refcoco", **spec), folder="refcoco", split_by=split_by, name="refcoco"
    )


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refs_of(small):
    return pickle.loads(small.refs.read_bytes(), encoding="latin1")


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path)


def test_expressions_are_the_cleaned_sentences_of_the_refs(small):
    written = {ref["ref_id"]: ref for ref in refs_of(small)}
    dataset = opened(small.root)
    seen = [ref for split in dataset.splits() for ref in dataset.refs(split)]
    assert len(seen) == len(written)
    for ref in seen:
        source = written[ref.ref_id]
        assert [e.text for e in ref.expressions] == [s["sent"] for s in source["sentences"]]
        assert [e.sent_id for e in ref.expressions] == source["sent_ids"]
        assert (ref.image_id, ref.ann_ids) == (source["image_id"], (source["ann_id"],))
        assert ref.split == source["split"]
    assert {ref.category for ref in seen} <= {"sports ball", "book", "kite"}


def test_images_are_found_by_the_instances_file_and_not_by_the_refs_suffixed_names(small):
    for ref in refs_of(small):
        assert not (small.images / ref["file_name"]).exists()
    dataset = opened(small.root)
    ref = dataset.refs("val")[0]
    with Image.open(small.images / f"COCO_train2014_{ref.image_id:012d}.jpg") as image:
        assert np.array_equal(dataset.image(ref.image_id), np.array(image))


def test_a_mask_covers_the_pixels_of_its_thing(small):
    dataset = opened(small.root)
    colours = {"red": 0, "green": 1, "blue": 2}
    checked = 0
    for ref in dataset.refs("train"):
        colour = ref.expressions[0].text.split()[0]
        if colour in colours:
            pixels = dataset.image(ref.image_id)[dataset.mask(ref)]
            assert (pixels.argmax(axis=1) == colours[colour]).mean() > 0.9
            checked += 1
    assert checked


def test_all_objects_is_the_union_of_every_annotation_of_the_image(small):
    dataset = opened(small.root)
    image_id = dataset.refs("train")[0].image_id
    masks = [dataset.mask(ref) for ref in dataset.refs("train") if ref.image_id == image_id]
    assert len(masks) >= 2
    assert np.array_equal(dataset.all_objects(image_id), np.any(masks, axis=0))


def test_an_object_without_a_ref_counts_among_all_objects(small):
    dataset = opened(small.root)
    ref = dataset.refs("train")[0]
    before = dataset.all_objects(ref.image_id)
    runs = {"size": [72, 96], "counts": [0, 72 * 3, 72 * 93]}
    crowd = {"id": 1, "image_id": ref.image_id, "category_id": 37, "segmentation": runs}
    edit(small.instances, lambda content: content["annotations"].append({**crowd, "iscrowd": 1}))
    after = opened(small.root).all_objects(ref.image_id)
    assert after[:, :3].all()
    assert np.array_equal(after[:, 3:], before[:, 3:])


def test_the_mask_rule_of_the_spec_decides_about_overlapping_parts(small):
    def overlap(content):
        content["annotations"][0]["segmentation"] = [
            [10, 10, 20, 10, 20, 20, 10, 20],
            [15, 10, 30, 10, 30, 20, 15, 20],
        ]

    edit(small.instances, overlap)
    areas = {}
    for rule in ("union", "eq1"):
        dataset = opened(small.root, mask_rule=rule)
        areas[rule] = dataset.mask(dataset.refs("train")[0]).sum()
    assert areas == {"union": 200, "eq1": 150}


@pytest.mark.parametrize(
    "folder", ["images/mscoco/images/train2014", "images/train2014", "train2014"]
)
def test_each_known_image_folder_is_found(tmp_path, folder):
    small = write_small_refcoco(tmp_path, image_folder=folder)
    dataset = opened(small.root)
    assert dataset.image(dataset.refs("val")[0].image_id).shape == (72, 96, 3)


def test_splits_are_matched_exactly_and_listed_train_first(small):
    dataset = opened(small.root)
    assert dataset.splits() == ("train", "val", "testA", "testB")
    assert {ref.split for ref in dataset.refs("testA")} == {"testA"}
    with pytest.raises(UserError, match="unknown split 'test'") as caught:
        dataset.refs("test")
    assert caught.value.exit_code == ExitCode.USAGE
    assert "known  train, val, testA, testB" in caught.value.where


def test_the_order_of_refs_does_not_depend_on_the_order_in_the_file(small):
    before = [ref.ref_id for ref in opened(small.root).refs("train")]
    small.refs.write_bytes(pickle.dumps(refs_of(small)[::-1]))
    assert [ref.ref_id for ref in opened(small.root).refs("train")] == before == sorted(before)


def test_a_json_refs_file_is_preferred_to_the_pickle(small):
    refs = refs_of(small)
    refs[0]["sentences"][0] |= {"sent": "written in json", "needs": ["noun", "location"]}
    small.refs.with_suffix(".json").write_text(json.dumps(refs))
    first = opened(small.root).refs("train")[0].expressions
    assert (first[0].text, first[0].needs) == ("written in json", ("noun", "location"))
    assert first[1].needs == ()


def test_raw_text_in_lower_case_stands_in_for_a_missing_sentence(small):
    refs = refs_of(small)
    del refs[0]["sentences"][0]["sent"]
    refs[0]["sentences"][1]["sent"] = " "
    small.refs.write_bytes(pickle.dumps(refs))
    raw = [sentence["raw"] for sentence in refs[0]["sentences"]]
    texts = [e.text for e in opened(small.root).refs("train")[0].expressions]
    assert texts == [text.lower() for text in raw]


def test_run_lengths_in_a_list_are_read_as_the_synthetic_sets_write_them(small):
    def as_runs(content):
        for annotation in content["annotations"]:
            annotation["segmentation"] = [{"size": [72, 96], "counts": [72 * 2, 72, 72 * 93]}]

    edit(small.instances, as_runs)
    dataset = opened(small.root)
    mask = dataset.mask(dataset.refs("train")[0])
    assert mask[:, 2].all()
    assert mask.sum() == 72


def test_the_fingerprint_changes_with_either_file_and_not_with_the_images(small):
    first = opened(small.root).fingerprint
    picture = next(small.images.iterdir())
    picture.write_bytes(picture.read_bytes() + b"\0")
    os.utime(small.instances)
    assert opened(small.root).fingerprint == first
    edit(small.instances, lambda content: content["info"].update(version="2"))
    second = opened(small.root).fingerprint
    small.refs.write_bytes(pickle.dumps(refs_of(small)))
    third = opened(small.root).fingerprint
    assert len({first, second, third}) == 3
    assert len(first) == 64


def test_a_given_fingerprint_stands(small):
    dataset = open_refer(
        small.root,
        DataSpec(),
        folder="refcoco",
        split_by="unc",
        name="synth",
        fingerprint="f" * 64,
    )
    assert dataset.fingerprint == "f" * 64
    assert dataset.location == small.instances.parent


def test_an_unusable_mask_is_damage_that_names_annotation_image_and_file(small):
    edit(
        small.instances,
        lambda content: content["annotations"][0].update(segmentation=[[0, 0, 1e9, 0, 1e9, 1e9]]),
    )
    dataset = opened(small.root)
    ref = dataset.refs("train")[0]
    with pytest.raises(UserError) as caught:
        dataset.mask(ref)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert caught.value.what == (
        f"annotation {ref.ann_ids[0]} of image {ref.image_id} has no usable mask: "
        "a polygon far outside the image"
    )
    assert str(small.instances) in caught.value.where[0]


def test_missing_photographs_of_a_split_are_counted_before_anything_is_trained(small):
    dataset = opened(small.root)
    gone = {f"COCO_train2014_{ref.image_id:012d}.jpg" for ref in dataset.refs("train")}
    for name in sorted(gone)[:4]:
        (small.images / name).unlink()
    partial = opened(small.root)
    with pytest.raises(UserError, match="4 of 6 images of split 'train' are missing") as caught:
        partial.refs("train")
    assert caught.value.exit_code == ExitCode.MISSING
    assert caught.value.where[0] == f"looked for  {', '.join(sorted(gone)[:3])} and 1 more"
    assert str(small.images) in caught.value.where[1]
    assert partial.refs("val")


def test_photographs_in_folders_of_the_image_folder_are_found(small):
    def move(content):
        for image in content["images"]:
            (small.images / "part").mkdir(exist_ok=True)
            (small.images / image["file_name"]).rename(small.images / "part" / image["file_name"])
            image["file_name"] = f"part/{image['file_name']}"

    edit(small.instances, move)
    dataset = opened(small.root)
    assert dataset.image(dataset.refs("train")[0].image_id).shape == (72, 96, 3)


def test_a_photograph_that_vanishes_later_is_named(small):
    dataset = opened(small.root)
    image_id = dataset.refs("train")[0].image_id
    (small.images / f"COCO_train2014_{image_id:012d}.jpg").unlink()
    with pytest.raises(UserError, match=f"image {image_id} is missing") as caught:
        dataset.image(image_id)
    assert caught.value.exit_code == ExitCode.MISSING


def test_a_truncated_photograph_is_damage_that_names_image_and_file(small):
    dataset = opened(small.root)
    image_id = dataset.refs("train")[0].image_id
    path = small.images / f"COCO_train2014_{image_id:012d}.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(
        UserError, match=f"image {image_id} cannot be read: '{path.name}'"
    ) as caught:
        dataset.image(image_id)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert caught.value.path == str(path)


def test_a_thin_polygon_is_said_once_when_the_set_is_opened(small, caplog):
    edit(
        small.instances,
        lambda content: content["annotations"][0]["segmentation"].append([1, 2, 3, 4]),
    )
    opened(small.root)
    assert "polygons of fewer than three points, which enclose nothing: 1" in caplog.text


def test_the_garbage_collector_is_left_as_it_was(small):
    assert gc.isenabled()
    opened(small.root)
    assert gc.isenabled()
    small.instances.write_text("{")
    with pytest.raises(UserError):
        opened(small.root)
    assert gc.isenabled()


def loaded_by(*modules):
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_reading_data_loads_no_torch_and_no_pandas():
    assert {"torch", "pandas", "transformers"}.isdisjoint(
        loaded_by("remamber.datasets.refer", "remamber.datasets._split_reader")
    )
    assert "pandas" in loaded_by("pandas")
