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
    Group,
    Meaning,
    Ordinal,
    Pair,
    Place,
    Program,
    Relation,
    Side,
)

_ONE, _SEVERAL = ("thing", "person"), ("things", "people")
_KINDS = {"phrase": _ONE, "landmark": _ONE, "group": _SEVERAL}
_PAIRED = ("attributes", "extreme")
"""What may be said of each of two objects in one expression."""

Value = str | Description | Program
Bound = Mapping[str, Value]
Step = tuple[Bound, int]


@lru_cache(maxsize=10_000)
def readings(text: str, grammar: Grammar) -> frozenset[Meaning]:
    """Every meaning that the grammar gives to a string; empty if it is not in the language."""
    tokens = tuple(text.split())
    return frozenset(
        meaning
        for meaning, end in _expressions(tokens, 0, grammar, tuple(grammar.expressions))
        if end == len(tokens)
    )


def _expressions(
    tokens: Way, start: int, grammar: Grammar, plans: tuple[str, ...]
) -> Iterator[tuple[Meaning, int]]:
    for plan in plans:
        for template in grammar.expressions.get(plan, ()):
            for bound, end in _match(template, tokens, start, grammar):
                yield _meaning(plan, bound), end


def _meaning(plan: str, bound: Bound) -> Meaning:
    if plan == "pair":
        return Pair(cast(Program, bound["one"]), cast(Program, bound["other"]))
    if plan == "group":
        count = cast(str, bound["count"])
        number = None if count == "all" else int(count)
        return Group(cast(Description, bound["group"]), number)
    return _program(plan, bound)


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
    else:
        yield from (({item.name: v}, end) for v, end in _values(item.name, tokens, start, grammar))


def _values(slot: str, tokens: Way, start: int, grammar: Grammar) -> Iterator[tuple[Value, int]]:
    """What can fill a slot from a position on, and where it ends."""
    if slot in _KINDS:
        yield from _descriptions(tokens, start, grammar, _KINDS[slot])
    elif slot in ("one", "other"):
        found = _expressions(tokens, start, grammar, _PAIRED)
        yield from ((cast(Program, meaning), end) for meaning, end in found)
    else:
        for value, ways in grammar.words[slot].items():
            for words in ways:
                if tokens[start : start + len(words)] == words:
                    yield value, start + len(words)


def _descriptions(
    tokens: Way, start: int, grammar: Grammar, kinds: tuple[str, ...]
) -> Iterator[tuple[Description, int]]:
    for kind in kinds:
        for template in grammar.phrases[kind]:
            for bound, end in _match(template, tokens, start, grammar):
                noun = bound.get("noun") or bound.get("nouns") or kind
                if bound and (noun == "person") == (kind in ("person", "people")):
                    looks = {k: v for k, v in bound.items() if k not in ("noun", "nouns")}
                    yield Description(cast(str, noun), _sorted(looks)), end


def _sorted(looks: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, cast(str, value)) for name, value in looks.items()))
