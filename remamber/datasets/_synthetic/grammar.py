"""The grammar file as data: words by slot, templates of phrases and expressions, weights."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple


class Word(NamedTuple):
    """A word that is always said."""

    text: str


class Slot(NamedTuple):
    """A place that a value of that name fills."""

    name: str


class Maybe(NamedTuple):
    """What is said only if the slot in it has a value."""

    items: tuple[Word | Slot, ...]

    @property
    def slot(self) -> str:
        """Name of the slot that decides."""
        return next(item.name for item in self.items if isinstance(item, Slot))


Way = tuple[str, ...]
Template = tuple[Word | Slot | Maybe, ...]
_TOKEN = re.compile(r"\[[^\]]*\]|\S+")


@dataclass(frozen=True, eq=False)
class Grammar:
    """One style of language; compared by identity, since a style is loaded once.

    Attributes:
        words: for each slot, the ways to say each value, a way being one or more words.
        phrases: templates of a description, by kind (thing, person).
        expressions: templates of a whole expression, by plan.
        plans: how often each plan is tried.
        sentences: fewest and most expressions of a target.
        max_words: longest expression.
        redundancy: chance of one attribute more than is needed.
        detail: chance of an attribute where a location or relation would do.
    """

    words: Mapping[str, Mapping[str, tuple[Way, ...]]]
    phrases: Mapping[str, tuple[Template, ...]]
    expressions: Mapping[str, tuple[Template, ...]]
    plans: Mapping[str, float]
    sentences: tuple[int, int]
    max_words: int
    redundancy: float
    detail: float


@cache
def load_grammar(style: str) -> Grammar:
    """The grammar of a style, such as ``synth-refcoco``, from the package's grammar.toml."""
    content = _content()
    chosen: dict[str, Any] = content["styles"][style]
    fewest, most = chosen["sentences"]
    return Grammar(
        words={slot: _ways(content["words"][words]) for slot, words in content["slots"].items()},
        phrases=_templates(chosen["phrases"]),
        expressions=_templates(chosen["expressions"]),
        plans=chosen["plans"],
        sentences=(fewest, most),
        max_words=chosen["max-words"],
        redundancy=chosen["redundancy"],
        detail=chosen["detail"],
    )


def styles() -> tuple[str, ...]:
    """Names of all styles, which are the names of the synthetic data sets."""
    return tuple(_content()["styles"])


@cache
def _content() -> dict[str, Any]:
    source = resources.files("remamber.datasets").joinpath("grammar.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _ways(words: Mapping[str, list[str]]) -> dict[str, tuple[Way, ...]]:
    return {value: tuple(tuple(way.split()) for way in ways) for value, ways in words.items()}


def _templates(texts: Mapping[str, list[str]]) -> dict[str, tuple[Template, ...]]:
    return {name: tuple(_template(text) for text in many) for name, many in texts.items()}


def _template(text: str) -> Template:
    items: list[Word | Slot | Maybe] = []
    for token in _TOKEN.findall(text):
        if token.startswith("["):
            items.append(Maybe(tuple(_plain(part) for part in token[1:-1].split())))
        else:
            items.append(_plain(token))
    return tuple(items)


def _plain(token: str) -> Word | Slot:
    return Slot(token[1:-1]) if token.startswith("{") else Word(token)
