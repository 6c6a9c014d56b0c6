"""What is said reads back the same, though reader and speaker share only the grammar file."""

import pytest

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Ordinal,
    Program,
    Relation,
    View,
)
from remamber.datasets._synthetic.plan import necessity, sayable
from remamber.datasets._synthetic.read import readings
from remamber.datasets._synthetic.say import realise

STYLE = "synth-refcoco"
TARGETS = frozenset((0,))


def person(**looks):
    return Description("person", tuple(sorted(looks.items())))


PROGRAMS = [
    Program(person()),
    Program(person(shirt="red", hat="blue", arms="up")),
    Program(person(size="big", trousers="green"), Extreme("left")),
    Program(Description("ball", (("color", "red"), ("size", "big"), ("texture", "striped")))),
    Program(Description("cross"), Extreme("bottom")),
    Program(Description("star", (("color", "pink"),)), Ordinal(3, "right")),
    Program(person(shirt="red"), Ordinal(2, "left")),
    Program(Description("ball"), Relation("left-of", person(shirt="red", trousers="blue"))),
    Program(person(arms="down"), Relation("next-to", Description("cone"))),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_every_way_to_say_a_program_reads_back_as_that_program_alone(program):
    grammar = load_grammar(STYLE)
    said = {realise(Dice(f"say/{n}"), grammar, program) for n in range(60)}
    assert said
    for text in said:
        assert readings(text, grammar) == {program}, text


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("red shirt", Program(person(shirt="red"))),
        ("2nd dude from left", Program(person(), Ordinal(2, "left"))),
        ("blue hat arms up on right", Program(person(hat="blue", arms="up"), Extreme("right"))),
        (
            "ball to left of box",
            Program(Description("ball"), Relation("left-of", Description("box"))),
        ),
    ],
)
def test_a_string_means_what_a_person_would_take_it_for(text, program):
    assert readings(text, load_grammar(STYLE)) == {program}


@pytest.mark.parametrize("text", ["", "left", "red", "the red ball", "ball left of", "shirt red"])
def test_a_string_outside_the_language_has_no_meaning(text):
    assert readings(text, load_grammar(STYLE)) == frozenset()


def test_people_can_be_named_by_what_they_wear():
    grammar = load_grammar(STYLE)
    program = Program(person(shirt="red"))
    said = {realise(Dice(f"say/{n}"), grammar, program) for n in range(60)}
    assert {"red shirt", "man in red shirt", "red shirt guy"} <= said


def test_size_is_only_worth_a_word_beside_another_size_of_the_same_kind():
    big, small = ({"size": size, "color": "red"} for size in ("big", "small"))
    ball, box = View("ball", big, 0.2, 0.5), View("box", small, 0.8, 0.5)
    assert sayable([ball, box], 0) == [("color", "red")]
    assert ("size", "big") in sayable([ball, View("ball", small, 0.8, 0.5)], 0)


def test_needs_name_what_cannot_be_dropped():
    views = [
        View("ball", {"color": "red"}, 0.2, 0.5),
        View("ball", {"color": "blue"}, 0.8, 0.5),
        View("box", {"color": "red"}, 0.5, 0.2),
    ]
    red_ball = Program(Description("ball", (("color", "red"),)))
    assert necessity(red_ball, views, targets=TARGETS, margin=0.07) == (("noun", "attr"), True)
    red_striped = {"color": "red", "texture": "striped"}
    striped = [View("ball", red_striped, 0.2, 0.5), *views[1:]]
    both = Program(Description("ball", tuple(sorted(red_striped.items()))))
    assert necessity(both, striped, targets=TARGETS, margin=0.07) == (("attr",), False)
    left_red = Program(red_ball.target, Extreme("left"))
    left = Program(Description("ball"), Extreme("left"))
    assert necessity(left, views, targets=TARGETS, margin=0.07) == (("location",), True)
    assert necessity(left_red, views, targets=TARGETS, margin=0.07)[1] is False
