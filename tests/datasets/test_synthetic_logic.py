"""Programs are true, false or unsure of an object, and unsure whenever it is close."""

import pytest

from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Ordinal,
    Program,
    Relation,
    View,
    denotation,
    every,
    only,
)

MARGIN = 0.07


def ball(x, y=0.5, **looks):
    return View("ball", {"color": "red", **looks}, x, y)


def truths(program, views):
    return denotation(program, views, margin=MARGIN)


BALL = Description("ball")


def test_and_is_strong_kleene():
    assert every() is True
    assert every(True, None) is None
    assert every(None, False) is False


def test_a_hidden_attribute_is_unsure_and_a_foreign_one_is_false():
    shirt = Program(Description(None, (("shirt", "red"),)))
    person = View("person", {"shirt": None}, 0.5, 0.5)
    assert truths(shirt, [person, ball(0.2)]) == [None, False]


def test_leftmost_needs_a_lead_of_the_margin():
    left = Program(BALL, Extreme("left"))
    assert truths(left, [ball(0.2), ball(0.28)]) == [True, False]
    assert truths(left, [ball(0.2), ball(0.26)]) == [None, None]


@pytest.mark.parametrize(("side", "which"), [("left", 0), ("right", 1), ("top", 1), ("bottom", 0)])
def test_each_side_has_its_own_outermost(side, which):
    views = [ball(0.2, 0.8), ball(0.8, 0.2)]
    assert only(truths(Program(BALL, Extreme(side)), views)) == which


def test_one_of_a_kind_is_not_called_the_leftmost():
    box = View("box", {}, 0.9, 0.5)
    assert truths(Program(BALL, Extreme("left")), [ball(0.2), box]) == [None, False]


def test_a_possible_rival_ahead_makes_the_leftmost_unsure_but_one_behind_does_not():
    red = Program(Description("ball", (("color", "red"),)), Extreme("left"))
    assert only(truths(red, [ball(0.3), ball(0.6), ball(0.1, color=None)])) is None
    assert only(truths(red, [ball(0.3), ball(0.6), ball(0.5, color=None)])) == 0


def test_the_second_from_the_left_needs_clear_gaps_on_both_sides():
    second = Program(BALL, Ordinal(2, "left"))
    assert truths(second, [ball(0.1), ball(0.3), ball(0.5)]) == [False, True, False]
    assert truths(second, [ball(0.1), ball(0.3), ball(0.33)]) == [None, None, None]
    assert truths(second, [ball(0.1), ball(0.3)]) == [None, None]


def test_left_of_is_unsure_near_the_diagonal_and_false_beyond_it():
    cone = View("cone", {}, 0.5, 0.5)
    left = Program(BALL, Relation("left-of", Description("cone")))
    views = [cone, ball(0.2, 0.5), ball(0.2, 0.2), ball(0.4, 0.1), ball(0.7, 0.5)]
    assert truths(left, views) == [False, True, None, False, False]


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [("left-of", 0.2, 0.5), ("right-of", 0.8, 0.5), ("above", 0.5, 0.2), ("below", 0.5, 0.8)],
)
def test_each_direction_is_where_it_is_said_to_be(name, x, y):
    everywhere = [ball(0.2, 0.5), ball(0.8, 0.5), ball(0.5, 0.2), ball(0.5, 0.8)]
    views = [View("cone", {}, 0.5, 0.5), *everywhere]
    found = only(truths(Program(BALL, Relation(name, Description("cone"))), views))
    assert found is not None
    assert (views[found].x, views[found].y) == (x, y)


def test_a_relation_to_a_landmark_that_is_not_single_is_unsure():
    cones = [View("cone", {}, 0.5, 0.5), View("cone", {}, 0.9, 0.9)]
    left = Program(BALL, Relation("left-of", Description("cone")))
    assert truths(left, [*cones, ball(0.1)])[2] is None


def test_next_to_is_the_nearest_that_fits_by_a_clear_lead():
    cone = View("cone", {}, 0.5, 0.5)
    beside = Program(BALL, Relation("next-to", Description("cone")))
    assert truths(beside, [cone, ball(0.3), ball(0.8)]) == [False, True, False]
    assert truths(beside, [cone, ball(0.3), ball(0.72)]) == [False, None, None]
    assert truths(beside, [cone, ball(0.01)]) == [False, None]
