"""From a program to words: one of the grammar's templates that can say all of it."""

from collections.abc import Mapping

from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.grammar import Grammar, Maybe, Slot, Template, Word
from remamber.datasets._synthetic.logic import Description, Extreme, Ordinal, Program, Relation


def realise(dice: Dice, grammar: Grammar, program: Program) -> str:
    """Say a program in one of the ways that the grammar knows."""
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
