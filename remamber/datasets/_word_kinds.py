"""What the words of a referring expression say: noun, attribute, location or relation.

A rule on words, for data sets whose expressions come without a program. It knows no grammar
beyond closed lists (``word_kinds.toml``) and three habits of English:

1. Groups of words that are a relation together ("next to", "to the left of") are one, unless
   nothing or only the picture follows: "right side of the photo" is a location.
2. A preposition says what it leads to: a location ("on the left", "from right"), a relation
   where a noun follows ("on a horse", "in the red car"), else nothing of its own ("in red").
   A word in -ing between two nouns is a relation ("boy holding an umbrella"), else an attribute.
3. A word in no list is a noun where it ends a run of nouns and attributes, else an attribute:
   the head of an English noun phrase is its last word.

What somebody wears and parts of the body count as attributes: they tell one person from another
("guy in red shirt"), or stand for the person ("red shirt").
"""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from remamber.datasets._sources._coco_names import IN_ORDER

KINDS = ("noun", "attribute", "location", "relation", "other")

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
"""Letters and digits of any script."""
_TYPED = str.maketrans("\u2019\u2010\u2011", "'--")
"""The apostrophe and the hyphens of typesetters."""
_NEEDS = {"noun": "noun", "attribute": "attr", "relation": "relation", "location": "location"}
_PICTURE = frozenset(
    ("picture", "pic", "photo", "photograph", "image", "screen", "frame", "scene", "shot")
    + ("camera", "us", "you", "me", "viewer")
)
_LIMBS = frozenset(("arm", "arms", "hand", "hands", "leg", "legs"))


class _Lists(NamedTuple):
    """The closed lists: kind of a single word; relations by their first word, longest first."""

    kinds: dict[str, str]
    relations: dict[str, list[tuple[str, ...]]]


def words_of(text: str) -> tuple[str, ...]:
    """The words of an expression in lower case, without what stands between them."""
    whole = unicodedata.normalize("NFC", text.lower())
    return tuple(_WORD.findall(whole.translate(_TYPED)))


def kinds_of(words: Sequence[str]) -> tuple[str, ...]:
    """The kind of every word of one expression, each of ``KINDS``.

    Args:
        words: of the expression in order, in any case; punctuation at their ends is not seen.
    """
    clean = [word.lower().strip("\"'.,;:!?()[]") for word in words]
    kinds = [_listed(word) for word in clean]
    _limbs(clean, kinds)
    _groups(clean, kinds)
    _ambiguous(clean, kinds)
    _by_place(clean, kinds)
    _leading(clean, kinds)
    return tuple("other" if kind == "article" else kind for kind in kinds)


def mentioned(text: str) -> tuple[str, ...]:
    """Which of noun, attr, relation and location an expression mentions, as ``needs`` names them.

    It is what is said, not what is needed to find the target, which only a generator knows.
    """
    kinds = kinds_of(words_of(text))
    return tuple(need for kind, need in _NEEDS.items() if kind in kinds)


@cache
def _lists() -> _Lists:
    content = files("remamber.datasets").joinpath("word_kinds.toml").read_text(encoding="utf-8")
    table = tomllib.loads(content)
    relations: dict[str, list[tuple[str, ...]]] = {}
    for group in sorted(map(str.split, table.pop("relations")), key=len, reverse=True):
        relations.setdefault(group[0], []).append(tuple(group))
    kinds = {name.split()[-1]: "noun" for name in IN_ORDER}
    # What stands in two lists is what the later one says: function words are the surest.
    for kind in ("noun", "attribute", "location", "relation", "preposition", "other", "article"):
        kinds |= dict.fromkeys(table[kind], kind)
    return _Lists(kinds, relations)


def _listed(word: str) -> str:
    """The kind by the lists, ``ing`` for a verb's form, ``unknown`` for none; empty is other."""
    kinds = _lists().kinds
    stems = (word, word.removesuffix("'s"), word.removesuffix("s"), word.removesuffix("es"))
    for stem in stems:
        if stem in kinds:
            return kinds[stem]
    if not word:
        return "other"
    return "ing" if word.endswith("ing") and len(word) > 4 else "unknown"


def _limbs(words: Sequence[str], kinds: list[str]) -> None:
    """In "arms up" the second word is no place."""
    for i in range(1, len(words)):
        if words[i] in ("up", "down") and words[i - 1] in _LIMBS:
            kinds[i] = "attribute"


def _groups(words: Sequence[str], kinds: list[str]) -> None:
    """Mark the groups of words that are a relation, or a location where only a picture follows."""
    bare = [i for i, kind in enumerate(kinds) if kind != "article"]
    place = 0
    while place < len(bare):
        starting = _lists().relations.get(words[bare[place]], ())
        group = next((g for g in starting if _stands(g, words, bare[place:])), ())
        if group:
            after = place + len(group)
            follows = words[bare[after]] if after < len(bare) else ""
            kind = "location" if not follows or follows in _PICTURE else "relation"
            for i in bare[place:after]:
                kinds[i] = kind
        place += len(group) or 1


def _stands(group: Sequence[str], words: Sequence[str], places: Sequence[int]) -> bool:
    return [words[i] for i in places[: len(group)]] == list(group)


def _ambiguous(words: Sequence[str], kinds: list[str]) -> None:
    """An orange is a fruit unless it tells of what follows, or of what somebody is in."""
    for i, word in enumerate(words):
        after = kinds[i + 1] if i + 1 < len(words) else ""
        if word == "orange":
            of_next = after in ("noun", "attribute", "unknown")
            worn = i > 0 and words[i - 1] == "in"
            kinds[i] = "attribute" if of_next or worn else "noun"
        if word == "light" and after == "attribute":
            kinds[i] = "attribute"
        if word in _PICTURE and i > 0 and kinds[i - 1] == "relation" and kinds[i] == "noun":
            kinds[i] = "location"


def _by_place(words: Sequence[str], kinds: list[str]) -> None:
    """Words in no list: the last of a run of nouns and attributes is its head."""
    for i, kind in enumerate(kinds):
        if kind == "unknown":
            after = kinds[i + 1] if i + 1 < len(words) else ""
            kinds[i] = "attribute" if after in ("noun", "attribute", "unknown") else "noun"


def _leading(words: Sequence[str], kinds: list[str]) -> None:
    """Prepositions and words in -ing, by what they lead to; from the end, so that it is known."""
    for i in reversed(range(len(words))):
        if kinds[i] not in ("preposition", "ing"):
            continue
        rest = [kind for kind in kinds[i + 1 :] if kind != "article"]
        while rest[1:] and rest[0] == "attribute" and rest[1] in ("attribute", "noun"):
            rest = rest[1:]
        head = rest[0] if rest else ""
        if kinds[i] == "ing":
            between = head == "noun" and "noun" in kinds[:i]
            kinds[i] = "relation" if between else "attribute"
        else:
            kinds[i] = {"noun": "relation", "location": "location"}.get(head, "other")
