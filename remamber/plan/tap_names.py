"""Names of the places at which features are looked at, and phrases that choose among them."""

from collections.abc import Iterable, Sequence

from remamber.registry import unknown

PLACES = (
    "cube",
    "after channel scan",
    "after spatial scan",
    "attention",
    "before spatial scan",
    "before gating",
    "output",
)
"""What the taps of the shipped fusions are called after stage and layer; each has some of them."""


def names(phrase: str, tap: str) -> bool:
    """Whether a tap's name contains a phrase, word by word."""
    return f" {' '.join(phrase.lower().split())} " in f" {tap} "


def is_known(phrase: str) -> bool:
    """Whether a phrase names a place of some fusion, or a stage or layer."""
    words = phrase.lower().split()
    while len(words) > 1 and words[0] in ("stage", "layer") and words[1].isdigit():
        words = words[2:]
    return not words or any(names(" ".join(words), place) for place in PLACES)


def require_known(phrases: Iterable[str], taps: Sequence[str] = ()) -> None:
    """Raise a UserError for a phrase that names no tap; the nearest names are given.

    Args:
        phrases: what was asked for.
        taps: names of a model's taps, which need not be those of a shipped fusion.
    """
    for phrase in phrases:
        blank = not phrase.strip()
        if blank or (not is_known(phrase) and not any(names(phrase, tap) for tap in taps)):
            raise unknown("tap", phrase, [*PLACES, *taps])
