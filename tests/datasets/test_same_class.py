"""How many objects of a target's class stand beside it, from every layout that can tell."""

import json
from collections import Counter

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, Expression, Referent, open_dataset
from remamber.datasets._annotations import Annotations, ImageEntry, Source
from remamber.datasets._converted import ConvertedFolder, open_converted
from remamber.datasets._converted_write import write_converted
from remamber.datasets._same_class import NOT_KNOWN, KnowsClasses, others_of_class
from remamber.datasets._sources import SourcePlace, read_source
from remamber.plan.spec import DataSpec

CLASSES = {1: "ball", 2: "ball", 3: "book", 4: "ball"}


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path)


def convert(small):
    source = read_source(SourcePlace(small.root / "refcoco"), shape="refer")
    return write_converted(source, small.root, shape="refer")


def opened(small):
    return open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))


def counted(dataset):
    return {r.ref_id: dataset.same_class(r) for s in dataset.splits() for r in dataset.refs(s)}


@pytest.mark.parametrize(
    ("targets", "others"), [((1,), 2), ((3,), 0), ((1, 4), 1), ((2, 3), 2), ((), NOT_KNOWN)]
)
def test_targets_are_no_distractors_of_each_other(targets, others):
    assert others_of_class([1, 2, 3, 4], CLASSES, targets=targets) == others


def test_one_object_of_unknown_class_leaves_the_number_unknown():
    assert others_of_class([1, 2, 9], CLASSES, targets=(1,)) == NOT_KNOWN


def test_both_layouts_count_the_objects_of_the_file(small):
    raw = counted(opened(small))
    content = json.loads(small.instances.read_text())
    rows = {row["id"]: row for row in content["annotations"]}
    kinds = Counter((row["image_id"], row["category_id"]) for row in rows.values())
    for split in opened(small).splits():
        for ref in opened(small).refs(split):
            row = rows[ref.ann_ids[0]]
            assert raw[ref.ref_id] == kinds[row["image_id"], row["category_id"]] - 1
    assert len(set(raw.values())) > 1
    convert(small)
    fast = opened(small)
    assert isinstance(fast, ConvertedFolder) and isinstance(fast, KnowsClasses)
    assert counted(fast) == raw


def without_classes(small):
    """The conversion as a version wrote it that kept no classes."""
    folder = convert(small).folder
    index = json.loads((folder / "index.json").read_text())
    del index["columns"]["ann_category"]
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "columns" / "ann_category.npy").unlink()
    return folder


def test_a_conversion_of_before_opens_as_it_did_and_says_that_it_does_not_know(small):
    fingerprint = opened(small).fingerprint
    dataset = open_converted(without_classes(small), mask_rule="union")
    assert set(counted(dataset).values()) == {NOT_KNOWN}
    assert dataset.fingerprint == fingerprint


def test_converting_again_adds_the_classes_once(small):
    without_classes(small)
    assert convert(small).anew
    assert not convert(small).anew
    assert NOT_KNOWN not in counted(opened(small)).values()


def test_files_that_name_targets_only_cannot_tell(tmp_path):
    ref = Referent(7, 3, (1,), "ball", "val", (Expression(1, "red"),))
    told = Annotations(
        {3: ImageEntry("a.jpg", 10, 20)},
        {1: {"size": [10, 20], "counts": [50, 50, 100]}},
        {3: (1,)},
        {"val": (ref,)},
    )
    (tmp_path / "rows").write_text("rows")
    source = Source("other", "unc", told, None, {str(tmp_path / "rows"): "f00d" * 16})
    first = write_converted(source, tmp_path, shape="cris")
    assert "ann_category" not in first.index.columns
    assert counted_of(first.folder, ref) == NOT_KNOWN
    classed = source._replace(annotations=told._replace(classes={1: "ball"}))
    second = write_converted(classed, tmp_path, shape="cris")
    assert second.anew
    assert counted_of(second.folder, ref) == 0
    assert second.index.fingerprint == first.index.fingerprint


def counted_of(folder, ref):
    return open_converted(folder, mask_rule="union").same_class(ref)
