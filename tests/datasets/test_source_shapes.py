"""Every other shape of the same data says what the refer layout says: texts and masks."""

import random

import numpy as np
import pytest
from more_shapes import jxu124_row, write_mdetr, write_parquet, write_polyformer, write_seqtr
from other_shapes import told, told_by_refer, write_content, write_cris, write_lmdb

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._converted_write import write_converted
from remamber.datasets._sources import SourcePlace, read_source, recognised
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


@pytest.fixture
def content(tmp_path):
    return write_content(tmp_path / "data")


def written(shape, content, root):
    """The data in a shape, and what the user gives with it."""
    small = content.small
    if shape == "cris":
        return SourcePlace(write_cris(content, root), images=small.images)
    if shape == "lmdb":
        return SourcePlace(write_lmdb(content, root / "lmdb" / "refcoco"))
    if shape == "mdetr":
        folder = write_mdetr(content, root / "mdetr_annotations")
        return SourcePlace(folder, images=small.images, instances=small.instances)
    if shape == "seqtr":
        return SourcePlace(
            write_seqtr(content, root / "refcoco-unc" / "instances.json"), images=small.images
        )
    if shape == "polyformer":
        return SourcePlace(write_polyformer(content, root / "finetune" / "refcoco"))
    for split in content.splits():
        # The hub calls REFER's testA "test"; the rows keep its name.
        name = {"testA": "test", "val": "validation"}.get(split, split)
        rows = [jxu124_row(ref, content) for ref in content.refs if ref["split"] == split]
        write_parquet(root / "refcoco" / "data" / f"{name}-00000-of-00001.parquet", rows)
    return SourcePlace(root / "refcoco", images=small.images)


SHAPES = ("cris", "lmdb", "mdetr", "seqtr", "polyformer", "parquet")


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_and_masks_are_those_of_the_refer_layout(shape, content, tmp_path):
    place = written(shape, content, tmp_path / "other")
    assert recognised(place.path) == shape
    source = read_source(place)
    assert (source.name, source.split_by) == ("refcoco", "unc")
    # PolyFormer itself drops the pixels where two parts of an object overlap.
    rule = "eq1" if shape == "polyformer" else "union"
    assert told(source) == told_by_refer(content, rule)
    assert list(source.annotations.splits) == ["train", "val", "testA", "testB"]


@pytest.mark.parametrize("shape", SHAPES)
def test_categories_have_cocos_names_where_the_shape_has_its_numbers(shape, content, tmp_path):
    source = read_source(written(shape, content, tmp_path / "other"))
    names = {ref.category for refs in source.annotations.splits.values() for ref in refs}
    known = {row["name"] for row in content.instances["categories"]}
    assert names == ({""} if shape in ("seqtr", "polyformer") else known)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_converted_shape_opens_with_the_same_texts_masks_and_images(shape, content, tmp_path):
    place = written(shape, content, tmp_path / "other")
    root = tmp_path / "root"
    write_converted(read_source(place), root, shape=shape)
    rule = "eq1" if shape == "polyformer" else "union"
    spec = DataSpec(name="refcoco")
    ours = open_dataset(spec, DataPlace(root=root))
    theirs = open_dataset(replaced(spec, rule), DataPlace(root=content.small.root))
    for split in theirs.splits():
        pairs = zip(sorted_refs(ours, split), sorted_refs(theirs, split), strict=True)
        for mine, other in pairs:
            assert np.array_equal(ours.mask(mine), theirs.mask(other))
            assert np.array_equal(ours.image(mine.image_id), theirs.image(other.image_id))
            assert texts(mine) == texts(other)


def test_what_is_known_of_cris_files_changes_with_one_mask(content, tmp_path):
    place = written("cris", content, tmp_path / "other")
    before = read_source(place).files
    mask = tmp_path / "other" / "masks" / "refcoco" / "0.png"
    mask.write_bytes((mask.parent / "1.png").read_bytes())
    after = read_source(place).files
    assert [name for name in before if before[name] != after[name]] == [str(mask.parent)]


def test_two_images_of_one_name_are_never_written_over_each_other(content, tmp_path):
    source = read_source(written("lmdb", content, tmp_path / "other"))
    told = source.annotations
    first = next(iter(told.images.values()))
    images = {image_id: first for image_id in told.images}
    same = source._replace(annotations=told._replace(images=images))
    with pytest.raises(UserError, match="two images have the same file name") as caught:
        write_converted(same, tmp_path / "root", shape="lmdb")
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert not list((tmp_path / "root" / "refcoco").glob("converted*"))


def replaced(spec, rule):
    return spec.model_copy(update={"mask_rule": rule})


def texts(ref):
    return tuple(expression.text for expression in ref.expressions)


def sorted_refs(dataset, split):
    return sorted(dataset.refs(split), key=lambda ref: (ref.image_id, texts(ref)))


@pytest.mark.parametrize("shape", SHAPES)
def test_damage_anywhere_is_read_or_refused_but_never_a_traceback(shape, content, tmp_path):
    place = written(shape, content, tmp_path / "other")
    files = sorted(path for path in place.path.parent.rglob("*") if path.is_file())
    rng = random.Random(shape)
    refused = 0
    for _ in range(40):
        path = rng.choice(files)
        whole = path.read_bytes()
        start = rng.randrange(len(whole))
        junk = bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 8))))
        path.write_bytes(whole[:start] + junk + whole[start + rng.choice((1, 8, 400)) :])
        try:
            read_source(place, shape=shape)
        except UserError as error:
            assert error.exit_code in (ExitCode.DAMAGED, ExitCode.USAGE, ExitCode.MISSING)
            refused += 1
        path.write_bytes(whole)
    assert refused > 1
