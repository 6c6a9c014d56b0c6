"""The converted layout: the same refs, texts and masks as the raw files, found if damaged."""

import json
import pickle

import numpy as np
import pytest
from pycocotools import mask as coco
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, Expression, Referent, open_dataset
from remamber.datasets import _converted_write as writing
from remamber.datasets._annotations import Annotations, ImageEntry, Source
from remamber.datasets._converted import ConvertedFolder, open_converted
from remamber.datasets._converted_columns import DTYPES
from remamber.datasets._converted_write import write_converted
from remamber.datasets._sources import SourcePlace, read_source
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


def square(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


def edit(small, change):
    content = json.loads(small.instances.read_text())
    change(content["annotations"])
    small.instances.write_text(json.dumps(content))


def convert(small, **options):
    source = read_source(SourcePlace(small.root / "refcoco"), shape="refer")
    return write_converted(source, small.root, shape="refer", **options)


def opened(root, **spec):
    return open_dataset(DataSpec(name="refcoco", **spec), DataPlace(root=root))


@pytest.fixture
def small(tmp_path):
    """Polygons, two that overlap, a run-length mask, and one annotation that no ref names."""
    small = write_small_refcoco(tmp_path)

    def change(rows):
        rows[0]["segmentation"] = [square(2, 2, 30, 30), square(20, 20, 50, 50)]
        blob = np.zeros((72, 96), dtype=np.uint8, order="F")
        blob[10:40, 5:60] = 1
        packed = coco.encode(blob)
        rows[1]["segmentation"] = {"size": [72, 96], "counts": packed["counts"].decode()}
        rows[2]["segmentation"] = {"size": [72, 96], "counts": [72 * 90, 72 * 6]}
        rows.append({**rows[3], "id": 5, "segmentation": [square(0, 0, 9, 9)]})

    edit(small, change)
    return small


@pytest.mark.parametrize("rule", ["union", "eq1"])
def test_everything_is_bit_identical_to_the_raw_files(small, rule):
    raw = opened(small.root, mask_rule=rule)
    convert(small)
    fast = opened(small.root, mask_rule=rule)
    assert isinstance(fast, ConvertedFolder)
    assert not isinstance(raw, ConvertedFolder)
    assert (fast.splits(), fast.fingerprint) == (raw.splits(), raw.fingerprint)
    assert (fast.name, fast.split_by) == (raw.name, raw.split_by)
    for split in raw.splits():
        assert fast.refs(split) == raw.refs(split)
        for ref in raw.refs(split):
            assert np.array_equal(fast.mask(ref), raw.mask(ref))
            assert np.array_equal(fast.image(ref.image_id), raw.image(ref.image_id))
            assert np.array_equal(fast.all_objects(ref.image_id), raw.all_objects(ref.image_id))


def test_the_mask_rules_differ_where_parts_overlap_and_nowhere_else(small):
    convert(small)
    union, eq1 = (opened(small.root, mask_rule=rule) for rule in ("union", "eq1"))
    differing = [r for r in union.refs("train") if (union.mask(r) != eq1.mask(r)).any()]
    assert [ref.ref_id for ref in differing] == [0]
    assert (union.mask(differing[0]) & ~eq1.mask(differing[0])).sum() == 100


def test_a_second_conversion_of_the_same_files_writes_nothing(small):
    first = convert(small)
    stamp = (first.folder / "index.json").stat().st_mtime_ns
    second = convert(small)
    assert (first.anew, second.anew) == (True, False)
    assert (first.folder / "index.json").stat().st_mtime_ns == stamp
    edit(small, lambda rows: rows[0].update(segmentation=[square(2, 2, 30, 30)]))
    assert convert(small).anew
    assert convert(small).index.sources != first.index.sources


def test_another_image_folder_is_taken_up_and_copies_are_kept(small):
    elsewhere = small.root / "elsewhere"
    small.images.rename(elsewhere)
    assert (convert(small).index.image_folder, convert(small).anew) == (None, False)
    place = SourcePlace(small.root / "refcoco", images=elsewhere)
    source = read_source(place, shape="refer")
    known = write_converted(source, small.root, shape="refer")
    assert (known.index.image_folder, known.anew) == ("elsewhere", True)
    copied = write_converted(source, small.root, shape="refer", copy_images=True)
    assert not convert(small).anew
    (copied.folder / "images" / next(elsewhere.iterdir()).name).unlink()
    assert convert(small).anew


def test_a_killed_conversion_leaves_nothing_under_the_name_and_goes_through_again(
    small, monkeypatch
):
    def killed(making, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_replace", killed)
    with pytest.raises(KeyboardInterrupt):
        convert(small)
    left = {path.name for path in (small.root / "refcoco").iterdir()}
    assert left == {"instances.json", "refs(unc).p", ".converted(unc).lock"}
    monkeypatch.undo()
    making = small.root / "refcoco" / ".converted(unc).making" / "columns"
    making.mkdir(parents=True)
    (making / "rubbish.npy").write_bytes(b"left by a process that was killed")
    assert convert(small).anew
    assert {p.stem for p in (convert(small).folder / "columns").iterdir()} == set(DTYPES)


def test_a_full_disk_is_one_sentence_and_leaves_the_old_data(small, monkeypatch):
    convert(small)
    edit(small, lambda rows: rows[0].update(segmentation=[square(2, 2, 30, 30)]))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError) as caught:
        convert(small)
    assert (caught.value.exit_code, caught.value.slug) == (ExitCode.MISSING, "disk_full")
    assert "no space left on the disk" in caught.value.what
    assert isinstance(opened(small.root), ConvertedFolder)
    assert not (small.root / "refcoco" / ".converted(unc).making").exists()


def test_copied_images_make_the_folder_stand_alone(small):
    written = convert(small, copy_images=True)
    small.images.rename(small.images.with_name("elsewhere"))
    dataset = opened(small.root)
    ref = dataset.refs("val")[0]
    assert dataset.image(ref.image_id).shape == (72, 96, 3)
    assert written.index.image_folder == "refcoco/converted(unc)/images"


def test_images_that_moved_are_found_where_coco_is_kept_else_said(small):
    convert(small)
    moved = small.root / "images" / "train2014"
    moved.parent.mkdir()
    small.images.rename(moved)
    assert opened(small.root).refs("val")
    moved.rename(small.root / "elsewhere")
    with pytest.raises(UserError, match="of 2 images of split 'val' are missing") as caught:
        opened(small.root).refs("val")
    assert caught.value.exit_code == ExitCode.MISSING


def test_a_worker_process_opens_the_files_again_instead_of_copying_them(small):
    convert(small)
    dataset = opened(small.root)
    sent = pickle.dumps(dataset)
    assert len(sent) < 500
    assert pickle.loads(sent).refs("train") == dataset.refs("train")


def test_an_unknown_split_names_those_there_are(small):
    convert(small)
    with pytest.raises(UserError, match="unknown split 'test'") as caught:
        opened(small.root).refs("test")
    assert "train, val, testA, testB" in caught.value.where[-1]


def by_hand(**changes):
    """Two images; a ref without target, one with two, and pixels that come as bytes."""
    images = {7: ImageEntry("a/seven.png", 8, 10), 9: ImageEntry("nine.png", 6, 6)}
    segmentations = {1: [square(0, 0, 4, 4)], 2: [square(5, 5, 9, 8)], 3: [square(1, 1, 3, 3)]}
    said = (Expression(1, "both \u00e9", ("noun",)), Expression(2, "zwei"))
    refs = (
        Referent(1, 7, (1, 2), "ball", "train", said),
        Referent(2, 7, (), "", "train", (Expression(3, "a ghost"),)),
    )
    parts = {
        "images": images,
        "segmentations": segmentations,
        "objects": {7: (1, 2), 9: (3,)},
        "splits": {"train": refs},
        **changes,
    }
    return Source("mine", "own", Annotations(**parts), None, {"/nowhere.json": "ab"})


def test_no_target_is_an_empty_mask_and_several_are_one_mask(tmp_path):
    from io import BytesIO

    from PIL import Image

    def pixels(image_id):
        stream = BytesIO()
        Image.new("RGB", {7: (10, 8), 9: (6, 6)}[image_id], (image_id, 0, 0)).save(stream, "PNG")
        return stream.getvalue()

    (tmp_path / "nowhere.json").write_text("{}")
    source = by_hand()._replace(images=pixels, files={str(tmp_path / "nowhere.json"): "ab"})
    folder = write_converted(source, tmp_path, shape="test").folder
    dataset = open_converted(folder, mask_rule="union")
    both, none = dataset.refs("train")
    assert (both, none) == source.annotations.splits["train"]
    assert (dataset.mask(both).sum(), dataset.mask(none).sum()) == (16 + 12, 0)
    assert (dataset.image(7)[0, 0, 0], dataset.all_objects(9).sum()) == (7, 4)
    assert len(dataset.fingerprint) == 64


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objects": {7: (1,), 9: (3,)}}, "name annotations that are not in their image"),
        ({"objects": {7: (1, 2), 9: (2,)}}, "1 annotations stand twice"),
        ({"segmentations": {1: [square(0, 0, 4, 4)], 2: []}}, "have no segmentation, such as 3"),
        (
            {"segmentations": {1: [square(0, 0, 4, 4)], 2: [[1, 2]], 3: []}},
            "annotation 2 of image 7 has no usable mask",
        ),
        (
            {"images": {9: ImageEntry("nine.png", 6, 6)}},
            "1 images with annotations are not there, such as 7",
        ),
        (
            {"images": {7: ImageEntry("../x.png", 8, 10)}, "objects": {7: (1, 2)}},
            "leave the image folder",
        ),
    ],
)
def test_annotations_that_do_not_fit_together_are_refused(tmp_path, changes, said):
    source = by_hand(**changes)._replace(images=lambda image_id: b"")
    with pytest.raises(UserError) as caught:
        write_converted(source, tmp_path, shape="test")
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert said in caught.value.what
    assert not (tmp_path / "mine" / "converted(own)").exists()


def test_an_unusable_mask_that_no_ref_names_is_left_out_and_counted(tmp_path):
    (tmp_path / "made.json").write_text("{}")
    segmentations = {**by_hand().annotations.segmentations, 3: [[1, 2]]}
    source = by_hand(segmentations=segmentations)._replace(files={str(tmp_path / "made.json"): ""})
    written = write_converted(source, tmp_path, shape="test")
    assert written.index.notes == ["1 annotations that no ref names have no usable mask: left out"]
    assert written.absent is None


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot name a data set"):
        write_converted(by_hand()._replace(name=name), tmp_path, shape="test")
