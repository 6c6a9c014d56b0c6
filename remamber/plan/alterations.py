"""How a trained model is disturbed while it is scored: its expressions, padding and scans."""

from collections.abc import Mapping
from typing import Literal

TextChange = Literal[
    "as-is",
    "shuffled-words",
    "no-nouns",
    "no-attributes",
    "no-locations",
    "no-relations",
    "nouns-only",
    "other-image",
    "empty",
]
"""What is done to every expression: its words in another order, the words of one kind left out,
no others kept, an expression of another image in its place, or no word at all."""

PaddingChange = Literal["as-is", "words", "noise", "unmasked"]
"""What stands behind an expression's end: padding; other words, as token ids or as noise in the
place of their features, all still marked as padding; or padding that is marked as words."""

Direction = Literal["rows", "columns", "rows-back", "columns-back"]
"""How a spatial scan reads the image: row by row or column by column, from the start or the end."""

DIRECTION_BITS: Mapping[Direction, int] = {
    "rows": 0,
    "columns": 1,
    "rows-back": 2,
    "columns-back": 3,
}
"""Each direction as the scan's operator numbers it."""

ScanPlace = Literal["model", "backbone", "fusion", "decoder"]
"""Whose spatial scans are silenced: all of the model's, or those of one part."""
