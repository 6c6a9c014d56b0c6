"""Polygons of generated masks: disjoint, without holes, and drawn they are the mask again."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from remamber.datasets._synthetic.entries import entries
from remamber.datasets._synthetic.form import Form
from remamber.datasets._synthetic.picture import make_picture
from remamber.datasets._synthetic.polygons import polygons
from remamber.datasets._synthetic.recipes import recipe_of

# pycocotools' own arrays do not know numpy 2's copy argument.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def drawn(found, shape):
    parts = [coco_mask.decode(part) for part in coco_mask.frPyObjects(found, *shape)]
    return np.sum(parts, axis=0)


def picture_of(text):
    return np.array([[c == "#" for c in line] for line in text.split()])


@pytest.mark.parametrize(
    "text",
    [
        "..... .###. .###. .....",
        "..... .#.#. .###. .#.#. .....",
        "...... .####. .#..#. .####. ......",
        "..... .##.. .##.. ...## ...##",
        "##... ##... ..... ...## ...##",
        "####### #.....# #.###.# #.#.#.# #.###.# #.....# #######",
    ],
    ids=["box", "arms", "ring", "corner", "two", "ring in ring"],
)
def test_polygons_drawn_again_are_the_mask_and_do_not_overlap(text):
    mask = picture_of(text)
    count = drawn(polygons(mask), mask.shape)
    assert np.array_equal(count, mask.astype(count.dtype))


def test_generated_masks_as_polygons_are_exact_and_disjoint():
    recipe = recipe_of("synth-refcoco", "quick")
    for index in range(12):
        ids = make_picture(recipe, "val", index).canvas.ids
        for number in range(1, ids.max() + 1):
            found = polygons(ids == number)
            assert np.array_equal(drawn(found, ids.shape), (ids == number).astype(np.uint8))


def test_area_and_box_are_those_of_the_stored_polygons():
    recipe = recipe_of("synth-refcoco", "quick")
    picture = make_picture(recipe, "val", 0)
    made = entries(recipe, picture, split="val", index=0, form=Form("jpg", "polygon"))
    assert made["image"]["file_name"].endswith(".jpg")
    for number, annotation in enumerate(made["annotations"], start=1):
        assert annotation["area"] == (picture.canvas.ids == number).sum()
        assert all(len(part) >= 8 for part in annotation["segmentation"])
