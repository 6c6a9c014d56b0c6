"""From a program to words: one of the grammar's templates that can say all of it."""

from collections.abc import Mapping

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import Grammar, Maybe, Slot, Template, Word
from remamber.datasets._synthetic.logic import (
    Description,
    Extreme,
    Group,
    Meaning,
    Ordinal,
    Pair,
    Program,
    Relation,
)


def realise(dice: Dice, grammar: Grammar, meaning: Meaning) -> str:
    """Say what is meant in one of the ways that the grammar knows."""
    if isinstance(meaning, Program):
        return _single(dice, grammar, meaning)
    if isinstance(meaning, Pair):
        values = {
            "one": _single(dice, grammar, meaning.one),
            "other": _single(dice, grammar, meaning.other),
        }
        return _fill(dice, grammar, dice.pick(grammar.expressions["pair"]), values)
    return _group(dice, grammar, meaning)


def _group(dice: Dice, grammar: Grammar, group: Group) -> str:
    kind = "people" if group.target.category == "person" else "things"
    looks = dict(group.target.looks)
    values = {"nouns": group.target.category or "", **looks}
    phrase = _fill(dice, grammar, dice.pick(grammar.phrases[kind]), values)
    count = "all" if group.count is None else str(group.count)
    values = {"count": count, "group": phrase}
    return _fill(dice, grammar, dice.pick(grammar.expressions["group"]), values)


def _single(dice: Dice, grammar: Grammar, program: Program) -> str:
    phrase = _phrase(dice, grammar, program.target)
    values = {"phrase": phrase}
    match program.place:
        case None:
            plan = "attributes"
        case Extreme(side):
            plan = "extreme"
            values |= {"extreme-before": side, "extreme-after": side}
        case Ordinal(rank, side):
            plan = "ordinal"
            values |= {"rank": str(rank), "side": side}
        case Relation(name, landmark):
            plan = "relation"
            values |= {"relation": name, "landmark": _phrase(dice, grammar, landmark)}
    return _fill(dice, grammar, dice.pick(grammar.expressions[plan]), values)


def _phrase(dice: Dice, grammar: Grammar, description: Description) -> str:
    kind = "person" if description.category == "person" else "thing"
    values = {"noun": description.category or "", **dict(description.looks)}
    able = [t for t in grammar.phrases[kind] if _can_say(t, values)]
    return _fill(dice, grammar, dice.pick(able), values)


def _can_say(template: Template, values: Mapping[str, str]) -> bool:
    needed = {item.name for item in template if isinstance(item, Slot)}
    offered = needed | {item.slot for item in template if isinstance(item, Maybe)}
    said = offered & values.keys()
    # A template without a noun needs an attribute that stands for it ("red shirt").
    return needed <= values.keys() and values.keys() - {"noun"} <= offered and bool(said)


def _fill(dice: Dice, grammar: Grammar, template: Template, values: Mapping[str, str]) -> str:
    said: list[str] = []
    for item in template:
        match item:
            case Maybe(items):
                if item.slot in values:
                    said.append(_fill(dice, grammar, items, values))
            case Word(text):
                said.append(text)
            case Slot(name):
                ways = grammar.words.get(name)
                said.extend(dice.pick(ways[values[name]]) if ways else [values[name]])
    return " ".join(said)
