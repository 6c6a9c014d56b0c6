"""From words to a program: a recogniser of the grammar that knows nothing of how it is spoken.

It guards against a realiser that prints "left of" for "right of": what a string means here
follows from the string and the grammar file alone.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import cast

from remamber.datasets._synthetic.grammar import Grammar, Maybe, Slot, Template, Way, Word
from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Ordinal,
    Place,
    Program,
    Relation,
    Side,
)

Value = str | Description
Bound = Mapping[str, Value]
Step = tuple[Bound, int]


@lru_cache(maxsize=10_000)
def readings(text: str, grammar: Grammar) -> frozenset[Program]:
    """Every meaning that the grammar gives to a string; empty if it is not in the language."""
    tokens = tuple(text.split())
    return frozenset(
        _program(plan, bound)
        for plan, templates in grammar.expressions.items()
        for template in templates
        for bound, end in _match(template, tokens, 0, grammar)
        if end == len(tokens)
    )


def _program(plan: str, bound: Bound) -> Program:
    target = cast(Description, bound["phrase"])
    place: Place | None = None
    if plan == "extreme":
        side = bound.get("extreme-before") or bound["extreme-after"]
        place = Extreme(cast(Side, side))
    elif plan == "ordinal":
        place = Ordinal(int(cast(str, bound["rank"])), cast(Side, bound["side"]))
    elif plan == "relation":
        place = Relation(cast(str, bound["relation"]), cast(Description, bound["landmark"]))
    return Program(target, place)


def _match(items: Template, tokens: Way, start: int, grammar: Grammar) -> Iterator[Step]:
    """Every way to read the items from a position: the slots' values and where it ends."""
    if not items:
        yield {}, start
        return
    for first, middle in _match_item(items[0], tokens, start, grammar):
        for rest, end in _match(items[1:], tokens, middle, grammar):
            yield {**first, **rest}, end


def _match_item(
    item: Word | Slot | Maybe, tokens: Way, start: int, grammar: Grammar
) -> Iterator[Step]:
    if isinstance(item, Maybe):
        yield {}, start
        yield from _match(item.items, tokens, start, grammar)
    elif isinstance(item, Word):
        if tokens[start : start + 1] == (item.text,):
            yield {}, start + 1
    elif item.name in ("phrase", "landmark"):
        for description, end in _descriptions(tokens, start, grammar):
            yield {item.name: description}, end
    else:
        for value, ways in grammar.words[item.name].items():
            for words in ways:
                if tokens[start : start + len(words)] == words:
                    yield {item.name: value}, start + len(words)


def _descriptions(tokens: Way, start: int, grammar: Grammar) -> Iterator[tuple[Description, int]]:
    for kind, templates in grammar.phrases.items():
        for template in templates:
            for bound, end in _match(template, tokens, start, grammar):
                noun = bound.get("noun", kind)
                if bound and (noun == "person") == (kind == "person"):
                    looks = {k: v for k, v in bound.items() if k != "noun"}
                    yield Description(cast(str, noun), _sorted(looks)), end


def _sorted(looks: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, cast(str, value)) for name, value in looks.items()))
