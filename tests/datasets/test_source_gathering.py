"""What all shapes are checked for when everything is read, and how a data set is called."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import ImageEntry
from remamber.datasets._segmentation import decode
from remamber.datasets._sources import SourcePlace
from remamber.datasets._sources._gathering import Gathering, size
from remamber.datasets._sources._pictures import mask_of, read_bytes
from remamber.datasets._sources._place import called, hinted
from remamber.datasets._sources._rows import WrongRowError, file_name
from remamber.errors import ExitCode, UserError

TRIANGLE = [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]]


def ref(ref_id=1, image_id=7, ann_ids=(3,), split="val", said=("a dog",)):
    texts = tuple(Expression(10 * ref_id + k, text) for k, text in enumerate(said))
    return Referent(ref_id, image_id, ann_ids, "dog", split, texts)


@pytest.fixture
def gathering():
    made = Gathering(Path("somewhere/refcoco"))
    made.add_image(7, ImageEntry("7.jpg", 10, 10))
    made.add_mask(3, 7, TRIANGLE)
    return made


def problem(gathering):
    with pytest.raises(UserError) as caught:
        gathering.annotations()
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert caught.value.fix
    return caught.value.what


def test_refs_come_by_split_in_the_order_of_their_ids(gathering):
    for ref_id, split in ((9, "testA"), (5, "train"), (2, "testA"), (4, "miniv")):
        gathering.add_ref(ref(ref_id, split=split))
    splits = gathering.annotations().splits
    assert list(splits) == ["train", "testA", "miniv"]
    assert [r.ref_id for r in splits["testA"]] == [2, 9]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (ref(image_id=8), "point to images that are not there"),
        (ref(ann_ids=(4,)), "point to annotations that are not there"),
        (ref(ann_ids=(3, 4)), "point to annotations that are not there"),
        (ref(said=()), "have no sentence"),
        (ref(said=("", "")), "have no sentence"),
        (ref(split=""), "stand in no split"),
    ],
    ids=range(6),
)
def test_a_ref_that_does_not_fit_is_refused(gathering, wrong, says):
    gathering.add_ref(wrong)
    assert problem(gathering) == f"1 of 1 refs in 'refcoco' {says}"


def test_a_ref_in_another_image_than_its_annotation_is_refused(gathering):
    gathering.add_image(8, ImageEntry("8.jpg", 10, 10))
    gathering.add_ref(ref(image_id=8))
    assert "stand in another image than their annotation" in problem(gathering)


def test_a_target_of_two_points_is_refused(gathering):
    gathering.add_mask(4, 7, [[1.0, 2.0, 3.0, 4.0]])
    gathering.add_ref(ref(ann_ids=(4,)))
    assert "have polygons of fewer than three points only" in problem(gathering)


def test_nothing_at_all_is_refused(gathering):
    assert problem(gathering) == "no ref in 'refcoco'"


def test_ids_that_stand_twice_and_images_that_change_are_refused(gathering):
    gathering.add_ref(ref())
    with pytest.raises(WrongRowError, match="ref 1 stands twice"):
        gathering.add_ref(ref())
    with pytest.raises(WrongRowError, match="annotation 3 stands twice"):
        gathering.add_mask(3, 7, TRIANGLE)
    gathering.add_image(7, ImageEntry("7.jpg", 10, 10))
    with pytest.raises(
        WrongRowError, match="image 7 is '7.jpg' of 10x10 and again '7.jpg' of 11x10"
    ):
        gathering.add_image(7, ImageEntry("7.jpg", 10, 11))


def test_images_and_masks_without_refs_do_not_come_along(gathering):
    gathering.add_image(8, ImageEntry("8.jpg", 10, 10))
    gathering.add_mask(4, 8, TRIANGLE)
    gathering.add_ref(ref())
    found = gathering.annotations()
    assert list(found.images) == [7]
    assert list(found.segmentations) == [3]


@pytest.mark.parametrize(
    ("text", "name", "maker"),
    [
        ("refcoco", "refcoco", ""),
        ("RefCOCOplus", "refcoco+", ""),
        ("refcoco+", "refcoco+", ""),
        ("finetune_refcoco+_testA", "refcoco+", ""),
        ("refcocog_u", "refcocog", "umd"),
        ("refcocog_g", "refcocog", "google"),
        ("val_refcocoplus_unc", "refcoco+", "unc"),
        ("val_referitgame_berkeley", "refclef", "berkeley"),
        ("finetune_grefcoco_val", "grefcoco", ""),
        ("downloads", "", ""),
    ],
)
def test_a_name_tells_the_data_set_and_the_splits_maker(text, name, maker):
    assert hinted(text) == (name, maker)


def test_what_the_user_says_goes_before_what_names_say():
    place = SourcePlace(Path("x"), name="refcoco+", split_by="google")
    assert called(place, ["refcocog_umd"]) == ("refcoco+", "google")


def test_only_umds_refcocog_has_a_test_split():
    place = SourcePlace(Path("x"))
    assert called(place, ["refcocog"], splits=["train", "test"]) == ("refcocog", "umd")
    with pytest.raises(UserError, match="who made the splits of refcocog"):
        called(place, ["refcocog"], splits=["train", "val"])


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "a/../../b.jpg", "a\0.jpg", "..\\b"])
def test_a_file_name_that_leaves_its_folder_is_refused(name):
    with pytest.raises(WrongRowError, match="leaves its folder"):
        file_name({"name": name}, "name")


@pytest.mark.parametrize("name", ["", ".", "\ud800.jpg", "x" * 256, "a/" + "\u00e9" * 128])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(WrongRowError, match="cannot name a file"):
        file_name({"name": name}, "name")


def test_names_in_any_script_are_read():
    name = "\u5199\u771f/\u00e9" + "t\u00e9.jpg"
    assert file_name({"name": name}, "name") == name


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"height": 10}, "no 'width'"),
        ({"height": 10, "width": 0}, "'width' is 0, which is no number of pixels"),
        ({"height": 10, "width": 9.5}, "'width' is 9.5, which is no number of pixels"),
        ({"height": float("nan"), "width": 9}, "'height' is nan, which is no number of pixels"),
        ({"height": float("inf"), "width": 9}, "'height' is inf, which is no number of pixels"),
        ({"height": 60_000, "width": 60_000}, "60000x60000 pixels, more than any photograph"),
    ],
    ids=range(6),
)
def test_a_size_that_no_image_has_is_refused(row, says):
    with pytest.raises(WrongRowError, match=says):
        size(row)


def test_sizes_written_as_whole_fractions_are_sizes():
    assert size({"height": 480.0, "width": 640}) == (480, 640)


def test_a_mask_that_unpacks_to_more_than_a_photograph_is_refused():
    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    with pytest.raises(WrongRowError, match="the mask (has 60000x60000|cannot be read)"):
        mask_of(png, "the mask")


def test_a_picture_in_a_format_that_starts_other_programs_is_not_opened():
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\nshowpage\n"
    assert Image.open(io.BytesIO(page)).format == "EPS"
    with pytest.raises(WrongRowError, match="the mask cannot be read .cannot identify"):
        mask_of(page, "the mask")


def test_a_picture_larger_than_any_mask_is_not_read(tmp_path):
    path = tmp_path / "0.png"
    with path.open("wb") as stream:
        stream.truncate(2**26 + 1)
    with pytest.raises(WrongRowError, match="the mask has 67,108,865 bytes, 67,108,864 is the"):
        read_bytes(path, "the mask")


def test_expressions_of_one_id_are_counted(gathering):
    gathering.add_ref(ref(1, said=("a dog", "the dog")))
    gathering.annotations()
    assert gathering.notes() == ()
    same = tuple(Expression(10, text) for text in ("a cat", "the cat"))
    gathering.add_ref(Referent(2, 7, (3,), "cat", "val", same))
    gathering.annotations()
    assert gathering.notes() == ("expressions whose id another one has: 2",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_any_pixel_that_is_not_black_is_the_target(mode):
    picture = Image.new("L", (6, 4))
    picture.putpixel((2, 1), 1 if mode == "P" else 255)
    drawn = Image.frombytes("P", picture.size, picture.tobytes()) if mode == "P" else None
    if mode == "I;16":
        drawn = Image.frombytes("I;16", picture.size, np.asarray(picture, "<u2").tobytes())
    stream = io.BytesIO()
    (drawn or picture.convert(mode)).save(stream, "PNG")
    mask = decode(mask_of(stream.getvalue(), "the mask"), 4, 6)
    assert np.argwhere(mask).tolist() == [[1, 2]]
