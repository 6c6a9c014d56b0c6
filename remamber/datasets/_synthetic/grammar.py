"""The grammar files as data: words by slot, templates of phrases and expressions, weights.

``grammar.toml`` has the words that all styles share and the style of RefCOCO; every other style
has a file of its own in ``styles/``, which may replace lists of words.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
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


RELATIONS = ("left-of", "right-of", "above", "below", "next-to")
_SHARED = "grammar.toml"
_STYLES = {
    name: f"_synthetic/styles/{name}.toml"
    for name in ("synth-refcoco+", "synth-refcocog", "synth-grefcoco")
}

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
        redundancy: chance of each attribute more than is needed.
        detail: chance of an attribute where a location or relation would do.
        extras: most attributes more than are needed.
        relations: those in use.
        targets: how often an expression names a single object, several or none.
        banned: words that the style never uses.
        split_by: whose splits it imitates.
        refs_file: ``refs`` for REFER's files, ``grefs`` for gRefCOCO's lists of targets.
        splits: its splits, if they are not the preset's.
    """

    words: Mapping[str, Mapping[str, tuple[Way, ...]]]
    phrases: Mapping[str, tuple[Template, ...]]
    expressions: Mapping[str, tuple[Template, ...]]
    plans: Mapping[str, float]
    sentences: tuple[int, int]
    max_words: int
    redundancy: float
    detail: float
    extras: int
    relations: tuple[str, ...]
    targets: Mapping[str, float]
    banned: frozenset[str]
    split_by: str
    refs_file: str
    splits: tuple[str, ...]


@cache
def load_grammar(style: str, *, relations: float | None = None) -> Grammar:
    """The grammar of a style from the package's files.

    Args:
        style: its name, such as ``synth-refcoco``.
        relations: share of expressions that are tried with a relation; None leaves the style's.
    """
    shared, chosen = _toml(_SHARED), _chosen(style)
    words = {**shared["words"], **chosen.get("words", {})}
    slots = {**shared["slots"], **chosen.get("slots", {})}
    fewest, most = chosen["sentences"]
    return Grammar(
        words={slot: _ways(words[name]) for slot, name in slots.items()},
        phrases=_templates(chosen["phrases"]),
        expressions=_templates(chosen["expressions"]),
        plans=_weighted(chosen["plans"], relations),
        sentences=(fewest, most),
        max_words=chosen["max-words"],
        redundancy=chosen["redundancy"],
        detail=chosen["detail"],
        extras=chosen.get("extras", 1),
        relations=tuple(chosen.get("relations", RELATIONS)),
        targets=chosen.get("targets", {"single": 1.0}),
        banned=frozenset(chosen.get("banned", ())),
        split_by=chosen["split-by"],
        refs_file=chosen.get("refs-file", "refs"),
        splits=tuple(chosen.get("splits", ())),
    )


def styles() -> tuple[str, ...]:
    """Names of all styles, which are the names of the synthetic data sets."""
    return (*_toml(_SHARED)["styles"], *_STYLES)


def grammar_sha256(style: str) -> str:
    """sha256 (hexadecimal) of the files that a style is made of, whatever their line ends."""
    sources = [_SHARED] if style not in _STYLES else [_SHARED, _STYLES[style]]
    text = b"".join(_source(path).read_bytes().replace(b"\r\n", b"\n") for path in sources)
    return hashlib.sha256(text).hexdigest()


def _weighted(plans: Mapping[str, float], relations: float | None) -> Mapping[str, float]:
    if relations is None:
        return plans
    others = sum(weight for plan, weight in plans.items() if plan != "relation")
    scaled = {plan: weight * (1 - relations) / others for plan, weight in plans.items()}
    return {**scaled, "relation": relations}


def _chosen(style: str) -> dict[str, Any]:
    if style in _STYLES:
        return _toml(_STYLES[style])
    own: dict[str, Any] = _toml(_SHARED)["styles"][style]
    return own


@cache
def _toml(path: str) -> dict[str, Any]:
    return tomllib.loads(_source(path).read_text(encoding="utf-8"))


def _source(path: str) -> Traversable:
    return resources.files("remamber.datasets").joinpath(path)


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
