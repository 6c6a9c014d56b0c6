"""Scenes can be read, every expression points to its target alone, and pictures never change."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from remamber.datasets._synthetic.check import pointed_at
from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.draw import paint
from remamber.datasets._synthetic.entries import content_hash
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.knobs import PRESETS, THINGS, Recipe
from remamber.datasets._synthetic.logic import Extreme, Relation, denotation, only
from remamber.datasets._synthetic.measure import measure
from remamber.datasets._synthetic.picture import make_picture
from remamber.datasets._synthetic.scene import Scene, Thing, sample_scene
from remamber.datasets._synthetic.sight import look_at

SPLITS = ("train", "val", "testA", "testB", "testC")
COUNTS = {"quick": 40, "default": 8}
# Where these change, raise GENERATOR_VERSION: data in caches would pass for the new ones.
GOLDEN = {
    "quick": "bf653ed2d13427495f2e0d8da34fedba52c6deff433df9c97f314ec0a5f3d3b1",
    "default": "86337a8b156fde178997beadc8b11f75095d713a7152bdc2f494339641dca3b5",
}


@pytest.fixture(scope="module", params=COUNTS)
def preset(request):
    return request.param


@pytest.fixture(scope="module")
def recipe(preset):
    return Recipe("synth-refcoco", preset, 0, PRESETS[preset])


@pytest.fixture(scope="module")
def pictures(recipe, preset):
    return {
        split: [make_picture(recipe, split, i) for i in range(COUNTS[preset])] for split in SPLITS
    }


def sentences(pictures, *splits):
    for split in splits or SPLITS:
        for picture in pictures[split]:
            for target in picture.targets:
                for sentence in target.sentences:
                    yield picture, target, sentence


def test_the_same_seed_gives_the_golden_pixels_masks_and_words(pictures, preset):
    total = hashlib.sha256()
    for split in SPLITS:
        for picture in pictures[split][:4]:
            total.update(content_hash(picture).encode())
    assert total.hexdigest() == GOLDEN[preset]


def test_a_picture_does_not_depend_on_the_size_of_its_split(recipe, pictures):
    smaller = tuple((split, replace(size, images=5)) for split, size in recipe.knobs.splits)
    other = replace(recipe, knobs=replace(recipe.knobs, splits=smaller))
    assert content_hash(make_picture(other, "val", 3)) == content_hash(pictures["val"][3])


def test_another_seed_gives_another_picture(recipe, pictures):
    other = make_picture(replace(recipe, seed=1), "val", 0)
    assert content_hash(other) != content_hash(pictures["val"][0])


def test_one_seed_gives_one_scene_at_every_image_size(recipe, pictures):
    larger = replace(recipe, knobs=replace(recipe.knobs, side=recipe.knobs.side * 2))
    other = make_picture(larger, "train", 0)
    assert other.scene == pictures["train"][0].scene
    assert other.canvas.ids.shape == (larger.knobs.side, larger.knobs.side)


def test_every_expression_is_true_of_its_target_and_false_of_all_else(recipe, pictures):
    for picture, target, sentence in sentences(pictures):
        sketch = paint(picture.scene, side=64, noise=recipe.knobs.noise)
        views = look_at(picture.scene, sketch)
        truth = denotation(sentence.program, views, margin=recipe.knobs.margin)
        assert only(truth) == target.things[0], sentence.text


def test_every_string_points_to_its_target_when_read_and_measured_anew(recipe, pictures):
    grammar = load_grammar(recipe.style)
    for picture, target, sentence in sentences(pictures):
        kinds = [thing.category for thing in picture.scene.things]
        seen = measure(picture.canvas, kinds, people_scale=recipe.knobs.people_scale)
        assert pointed_at(sentence.text, seen, grammar) == target.things[0], sentence.text


def test_no_expression_was_dropped_by_the_second_check(pictures):
    assert sum(picture.refused for split in SPLITS for picture in pictures[split]) == 0


def test_the_second_check_catches_a_swapped_direction(recipe, pictures):
    grammar = load_grammar(recipe.style)
    caught = 0
    for picture, target, sentence in sentences(pictures):
        if not isinstance(sentence.program.place, Extreme | Relation):
            continue
        swapped = sentence.text
        for a, b in (("left", "right"), ("top", "bottom"), ("above", "below"), ("upper", "lower")):
            swapped = swapped.replace(a, "\0").replace(b, a).replace("\0", b)
        if swapped == sentence.text:
            continue
        kinds = [thing.category for thing in picture.scene.things]
        seen = measure(picture.canvas, kinds, people_scale=recipe.knobs.people_scale)
        assert pointed_at(swapped, seen, grammar) != target.things[0], swapped
        caught += 1
    assert caught > 20


def test_expressions_are_short_distinct_and_say_what_they_need(recipe, pictures):
    for split in SPLITS:
        for target in (t for picture in pictures[split] for t in picture.targets):
            texts = [sentence.text for sentence in target.sentences]
            assert 2 <= len(set(texts)) == len(texts) <= 4
    for _, _, sentence in sentences(pictures):
        assert len(sentence.text.split()) <= 16
        assert sentence.needs
        assert set(sentence.needs) <= {"noun", "attr", "relation", "location"}


def test_a_location_is_only_said_where_it_is_needed(pictures):
    for _, _, sentence in sentences(pictures):
        if sentence.program.place is not None:
            kind = "relation" if isinstance(sentence.program.place, Relation) else "location"
            assert kind in sentence.needs, sentence.text


def test_every_object_shows_enough_of_itself(recipe, pictures):
    least = recipe.knobs.min_pixels * (recipe.knobs.side / 128) ** 2
    for picture in (p for split in SPLITS for p in pictures[split]):
        for number in range(1, len(picture.scene.things) + 1):
            whole = sum(n for (owner, _), n in picture.canvas.whole.items() if owner == number)
            seen = (picture.canvas.ids == number).sum()
            # At other sides than that of the judging sketch the share moves by a few pixels.
            assert seen >= least
            assert seen >= (recipe.knobs.min_visible - 0.03) * whole


def test_splits_hold_the_targets_that_they_promise(recipe, pictures):
    kinds = {
        split: [p.scene.things[t.things[0]].category for p in pictures[split] for t in p.targets]
        for split in SPLITS
    }
    assert set(kinds["testA"]) == {"person"}
    assert set(kinds["testB"]) <= set(THINGS)
    assert "person" in kinds["train"]
    assert set(kinds["train"]) & set(THINGS)
    for picture in pictures["testA"]:
        assert sum(thing.category == "person" for thing in picture.scene.things) >= 2
    for picture, target, _ in sentences(pictures):
        categories = [thing.category for thing in picture.scene.things]
        assert categories.count(categories[target.things[0]]) >= 2


def test_held_out_pairs_appear_in_testc_only(recipe, pictures):
    def pairs(things):
        return {(thing.looks.get("color"), thing.category) for thing in things}

    held_out = recipe.knobs.held_out
    assert len(held_out) == len(THINGS)
    for split in ("train", "val", "testA", "testB"):
        for picture in pictures[split]:
            assert not pairs(picture.scene.things) & held_out
    for picture in pictures["testC"]:
        targets = [picture.scene.things[target.things[0]] for target in picture.targets]
        assert pairs(targets) <= held_out


def test_no_scene_appears_twice(pictures):
    hashes = [content_hash(picture) for split in SPLITS for picture in pictures[split]]
    assert len(set(hashes)) == len(hashes)


def test_covering_all_objects_scores_low():
    recipe = Recipe("synth-refcoco", "quick", 0, PRESETS["quick"])
    ious = []
    for picture in (make_picture(recipe, "val", index) for index in range(120)):
        for target in picture.targets:
            everything, one = picture.canvas.ids > 0, picture.canvas.ids == target.things[0] + 1
            iou = (everything & one).sum() / (everything | one).sum()
            ious += [iou] * len(target.sentences)
    assert np.mean(ious) <= 0.25


def test_a_hidden_part_is_unsure_and_the_rest_is_not():
    looks = {"size": "big", "shirt": "red", "trousers": "blue", "hat": "none", "arms": "down"}
    behind = Thing("person", looks, 0.5, 0.4, 0.25)
    before = Thing("box", {"size": "big", "color": "green", "texture": "plain"}, 0.5, 0.62, 0.17)
    scene = Scene((behind, before), 1)
    view = look_at(scene, paint(scene, side=64, noise=5.0))[0]
    assert view.looks["trousers"] is None
    assert view.looks["size"] is None
    assert view.looks["hat"] == "none"


@pytest.mark.parametrize("category", ["person", *THINGS])
@pytest.mark.parametrize("size", ["small", "big"])
def test_an_object_that_nothing_hides_measures_as_what_it_is(category, size):
    r = 0.11 if size == "small" else 0.18
    looks = {"size": size, "color": "blue", "texture": "plain"}
    if category == "person":
        looks = {"size": size, "shirt": "red", "trousers": "blue", "hat": "white", "arms": "up"}
    scene = Scene((Thing(category, looks, 0.4, 0.6, r),), 3)
    (seen,) = measure(paint(scene, side=128, noise=5.0), [category], people_scale=1.0)
    assert seen.looks == looks
    assert abs(seen.x - 0.4) < 0.02
    assert abs(seen.y - 0.6) < 0.08


def test_objects_that_find_no_room_give_no_scene():
    crowded = replace(PRESETS["quick"], gap=5.0)
    assert sample_scene(Dice("crowded"), crowded, split="train") is None
