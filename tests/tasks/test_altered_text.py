"""Altered expressions: what is left of them, by what, and how many."""

import pytest

from remamber.datasets import Expression, Referent
from remamber.tasks._altered_text import altered, altered_text, vocabulary_of
from remamber.tasks._scoring import Item

TEXT = "The red ball, left of the man!"
KEY = (0, 7)


def item(text, *, sent_id=0, image_id=0):
    expression = Expression(sent_id, text)
    ref = Referent(sent_id, image_id, (1,), "ball", "val", (expression,))
    return Item(0, ref, expression, text)


def texts(found):
    return [one.text for one in found.items]


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ("no-nouns", "the red left of the"),
        ("no-attributes", "the ball left of the man"),
        ("no-relations", "the red ball the man"),
        ("nouns-only", "ball man"),
        ("empty", ""),
    ],
)
def test_words_of_one_kind_are_left_out(how, left):
    assert altered_text(TEXT, how, key=KEY) == left


def test_a_location_is_left_out():
    assert altered_text("man on the left", "no-locations", key=KEY) == "man the"


def test_shuffled_words_are_the_same_words_in_another_order_by_the_seed():
    words = "the red ball left of the man"
    one = altered_text(TEXT, "shuffled-words", key=KEY)
    assert sorted(one.split()) == sorted(words.split())
    assert one != words
    assert altered_text(TEXT, "shuffled-words", key=KEY) == one
    others = {altered_text(TEXT, "shuffled-words", key=(seed, 7)) for seed in range(20)}
    assert len(others) > 10


def test_two_words_are_always_swapped():
    for sent_id in range(20):
        assert altered_text("red ball", "shuffled-words", key=(0, sent_id)) == "ball red"


def test_an_expression_is_altered_by_itself_alone():
    items = [item(TEXT, sent_id=3), item("blue cone", sent_id=4)]
    for how in ("shuffled-words", "no-nouns", "nouns-only", "empty"):
        alone = altered(items[:1], how, seed=1)
        assert texts(altered(items[::-1], how, seed=1))[1] == alone.items[0].text


def test_what_is_not_touched_stays_as_it_was_and_is_not_counted():
    items = [item("The ball!", sent_id=1), item("red", sent_id=2), item("red ball", sent_id=3)]
    found = altered(items, "no-attributes", seed=0)
    assert texts(found) == ["The ball!", "", "ball"]
    assert (found.changed, found.emptied) == (2, 1)
    found = altered(items, "shuffled-words", seed=0)
    assert texts(found) == ["ball the", "red", "ball red"]
    assert (found.changed, found.emptied) == (2, 0)


def test_as_it_is_changes_nothing_not_even_punctuation():
    items = [item(TEXT)]
    assert altered(items, "as-is", seed=0) == (items, 0, 0)


def test_an_expression_that_is_empty_already_is_not_changed():
    found = altered([item("", sent_id=1), item("ball", sent_id=2)], "empty", seed=0)
    assert (texts(found), found.changed, found.emptied) == (["", ""], 1, 1)


def test_what_has_no_word_is_emptied_too_and_else_left_alone():
    items = [item("?!", sent_id=1), item("日本の車", sent_id=2)]
    found = altered(items, "empty", seed=0)
    assert (texts(found), found.changed, found.emptied) == (["", ""], 1, 1)
    assert texts(altered(items, "no-attributes", seed=0)) == ["?!", "日本の車"]


def test_the_text_of_another_image_is_another_images():
    items = [item("ball", sent_id=1, image_id=1), item("cone", sent_id=2, image_id=2)]
    found = altered(items, "other-image", seed=0)
    assert texts(found) == ["cone", "ball"]
    assert found.changed == 2


def test_the_vocabulary_holds_every_word_once_the_most_frequent_first():
    assert vocabulary_of(["the Ball", "the cone", "a ball"]) == ("ball", "the", "a", "cone")
