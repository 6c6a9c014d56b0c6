"""The rule on words against phrases as people say them, and against the generator's programs."""

from collections import Counter

import pytest

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import load_grammar, styles
from remamber.datasets._synthetic.knobs import CATEGORIES
from remamber.datasets._synthetic.logic import Description, Extreme, Ordinal, Program, Relation
from remamber.datasets._synthetic.say import realise
from remamber.datasets._word_kinds import KINDS, kinds_of, mentioned, words_of

N, A, L, R, O = ("noun", "attribute", "location", "relation", "other")  # noqa: E741
FLOOR = 0.99
PROGRAMS = 400


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("man in red shirt on left", (N, O, A, A, L, L)),
        ("the woman on the horse", (O, N, R, O, N)),
        ("guy holding an umbrella", (N, R, O, N)),
        ("laying cat", (A, N)),
        ("bowl of soup", (N, O, N)),
        ("right side of the photo", (L, L, L, O, L)),
        ("zebra closest to us", (N, L, L, L)),
        ("car closest to the bus", (N, R, R, O, N)),
        ("orange on left", (N, L, L)),
        ("orange ball", (A, N)),
        ("man in orange", (N, O, A)),
        ("kid with arms up", (N, O, A, A)),
        ("up top", (L, L)),
        ("bottom left corner", (L, L, L)),
        ("light blue car", (A, A, N)),
        ("2nd from right", (L, L, L)),
        ("person to the left of the tall tree", (N, R, O, R, R, O, A, N)),
        ("half eaten donut with sprinkles", (N, A, N, O, N)),
        ("flumpy wug", (A, N)),
        ("wug behind the blick", (N, R, O, N)),
        ("in swimming pool", (R, A, N)),
        ("BLUE", (A,)),
        ("", ()),
    ],
)
def test_the_words_of_a_phrase_have_the_kinds_that_a_reader_would_give(text, kinds):
    assert kinds_of(words_of(text)) == kinds


def test_words_as_they_stand_in_a_text_may_carry_case_and_punctuation():
    assert kinds_of(["Man,", "on", "LEFT!", "...", ""]) == (N, L, L, O, O)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the Café\u2019s table", ("the", "café's", "table")),
        ("cafe\u0301", ("café",)),
        ("日本 の 車", ("日本", "の", "車")),
        ("half\u2011eaten piñata_left", ("half-eaten", "piñata", "left")),
        ("... \U0001f600 ?!", ()),
    ],
)
def test_words_of_any_script_are_whole(text, words):
    assert words_of(text) == words


def test_every_word_has_one_of_the_kinds_whatever_it_is():
    odd = ["ing", "s", "es", "'s", "a", "of", "orange", "日本", "on", "to", "arms", "up", "42"]
    for place in range(len(odd)):
        words = odd[place:] + odd[:place]
        kinds = kinds_of(words)
        assert len(kinds) == len(words)
        assert set(kinds) <= set(KINDS)


def test_what_an_expression_mentions_is_named_as_the_generator_names_it():
    assert mentioned("the red car next to a man") == ("noun", "attr", "relation")
    assert mentioned("second from the left") == ("location",)
    assert mentioned("") == ()


@pytest.mark.parametrize("style", styles())
def test_the_rule_agrees_with_the_programs_of_the_generator(style):
    grammar = load_grammar(style)
    words, same_words, same_mention = 0, 0, 0
    missed: Counter[str] = Counter()
    for number in range(PROGRAMS):
        dice = Dice(f"kinds/{style}/{number}")
        program = _program(dice, grammar)
        text = realise(dice, grammar, program)
        said, gold = words_of(text), _gold(text.split(), program, grammar)
        for word, kind, wanted in zip(said, kinds_of(said), gold, strict=True):
            words += wanted is not None
            same_words += wanted == kind
            missed[f"{word}: {kind}, not {wanted}"] += wanted not in (None, kind)
        mention = {"noun": N, "attr": A, "location": L, "relation": R}
        same_mention += {mention[need] for need in mentioned(text)} == set(gold) - {None}
    print(f"{style}: {same_words / words:.4f} of {words} words, {same_mention} of {PROGRAMS} texts")
    assert same_words / words >= FLOOR, missed.most_common(5)
    assert same_mention / PROGRAMS >= FLOOR, missed.most_common(5)


def _program(dice, grammar):
    places = {
        "extreme": lambda: Extreme(dice.pick(("left", "right", "top", "bottom"))),
        "ordinal": lambda: Ordinal(dice.pick((2, 3)), dice.pick(("left", "right"))),
        "relation": lambda: Relation(dice.pick(grammar.relations), _description(dice)),
        "attributes": lambda: None,
    }
    return Program(_description(dice), places[dice.pick(sorted(grammar.plans))]())


def _description(dice):
    category = dice.pick(CATEGORIES)
    person = {"size": "big", "shirt": "red", "trousers": "white", "hat": "orange", "arms": "up"}
    thing = {"size": "small", "texture": dice.pick(("plain", "dotted")), "color": "orange"}
    looks = person if category == "person" else thing
    chosen = sorted(look for look in looks.items() if dice.chance(0.4))
    return Description(category, tuple(chosen))


def _gold(words, program, grammar):
    """The kind of every word that says a part of the program; None for what only joins them."""
    lists = grammar.words
    attributes = _said(lists, ("size", "color", "texture", "arms", "shirt")) | {"shirt", "pants"}
    places = _said(lists, ("extreme-before", "extreme-after", "rank", "side"))
    where = {L: places, R: _said(lists, ("relation",))}[
        R if isinstance(program.place, Relation) else L
    ]
    nouns = _said(lists, ("noun",))
    gold = []
    for word in words:
        kind = None
        if word not in ("a", "an", "the"):
            kind = N if word in nouns else A if word in attributes | {"hat"} else None
        # "up" is a place in no style, and "on" one only where a location is said.
        if kind is None and program.place is not None and word in where - {"a", "an", "the"}:
            kind = L if where is places else R
        gold.append(kind)
    return gold


def _said(lists, slots):
    ways = (way for slot in slots for ways in lists.get(slot, {}).values() for way in ways)
    return {word for way in ways for word in way}
