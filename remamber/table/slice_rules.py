"""How expressions are divided into slices: by what they need, their length, their target.

Every rule puts each expression into exactly one slice, by the integer columns that an evaluation
records of it; where a column is missing, so is the slicing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from remamber.metrics import Counts

NOT_KNOWN = "not known"
"""Label of the slice of expressions of which the record does not know the column."""

_NOUN, _ATTRIBUTE, _RELATION, _LOCATION = 1, 2, 4, 8
"""Bits of the ``needs`` column."""
_SMALL, _MEDIUM = 32**2 / (640 * 480), 96**2 / (640 * 480)
_LARGE = 0.1

Columns = Mapping[str, Counts]


@dataclass(frozen=True, kw_only=True)
class Slicing:
    """One way to divide the expressions of a split.

    Attributes:
        name: in file names, and in keys of the results.
        title: what divides them, in words.
        labels: the slices in order.
        rule: what puts an expression into a slice, in a sentence.
        columns: those of the counts that it reads.
        place: columns -> index into ``labels`` of every expression; negative where not known.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    rule: str
    columns: tuple[str, ...]
    place: Callable[[Columns], Counts]

    def places(self, columns: Columns) -> Counts | None:
        """The slice of every expression, None if a column is missing or says nothing at all."""
        if any(name not in columns for name in self.columns):
            return None
        places = self.place(columns)
        return places if bool((places >= 0).any()) else None


def merged(rows: Sequence[Columns]) -> dict[str, Counts]:
    """One set of columns for rows that scored the same expressions.

    A row of an older record may not know what another does, and says -1 (of needs, 0); whether
    an expression was cut depends on the row's tokenizer, and one that cut it decides. So the
    largest value stands.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.maximum.reduce([row[name] for row in rows if name in row]) for name in names}


def _by_need(columns: Columns) -> Counts:
    needs = columns["needs"]
    if not needs.any():
        return np.full(len(needs), -1)
    # The later the harder: what counts is the hardest that an expression needs.
    places = np.zeros(len(needs), dtype=np.int64)
    for place, bit in enumerate((_NOUN, _ATTRIBUTE, _LOCATION, _RELATION), start=1):
        places[needs & bit > 0] = place
    return places


def _by_length(columns: Columns) -> Counts:
    return _between(columns["words"], (3, 6, 10))


def _by_area(columns: Columns) -> Counts:
    target, image = columns["target"], columns["image_pixels"]
    share = np.divide(target, image, out=np.zeros(len(image)), where=image > 0)
    places = 1 + np.searchsorted((_SMALL, _MEDIUM, _LARGE), share, side="right")
    return np.where(image <= 0, -1, np.where(target == 0, 0, places))


def _by_distractors(columns: Columns) -> Counts:
    return np.minimum(columns["same_class"], 2)


def _by_truncation(columns: Columns) -> Counts:
    return np.minimum(columns["truncated"], 1)


def _by_centre(columns: Columns) -> Counts:
    return _between(columns["centre_distance"], (334, 667))


def _between(values: Counts, borders: Sequence[int]) -> Counts:
    places = np.searchsorted(borders, values, side="right")
    return np.where(values < 0, -1, places)


NEEDS = "needs"

SLICINGS = (
    Slicing(
        name=NEEDS,
        title="what the expression needs",
        labels=("nothing alone", "noun", "attribute", "location", "relation"),
        rule=(
            "By the hardest thing without which the expression would not name its target, as the"
            " generator's program says: a relation before a location before an attribute before"
            " the noun; nothing alone where each of its parts could be left out."
        ),
        columns=("needs",),
        place=_by_need,
    ),
    Slicing(
        name="length",
        title="length of the expression",
        labels=("1-2 words", "3-5 words", "6-9 words", "10+ words"),
        rule="Words between spaces.",
        columns=("words",),
        place=_by_length,
    ),
    Slicing(
        name="area",
        title="area of the target",
        labels=("no target", "< 0.33 %", "0.33-3 %", "3-10 %", "> 10 %"),
        rule=(
            "Share of the image. The first two borders are COCO's of small and medium objects, 32"
            " x 32 and 96 x 96 pixels, taken as shares of a 640 x 480 image, so that they mean the"
            " same at any size; most targets of these data sets are large, so those are divided at"
            " 10 %."
        ),
        columns=("target", "image_pixels"),
        place=_by_area,
    ),
    Slicing(
        name="distractors",
        title="number of other objects of its class",
        labels=("no other", "one other", "two or more"),
        rule="Annotated objects of the image of the target's category, besides the target.",
        columns=("same_class",),
        place=_by_distractors,
    ),
    Slicing(
        name="truncation",
        title="truncation by the tokenizer",
        labels=("whole", "cut"),
        rule="Cut: the tokenizer of any row dropped the expression's end.",
        columns=("truncated",),
        place=_by_truncation,
    ),
    Slicing(
        name="centre",
        title="distance of the target from the centre",
        labels=("inner third", "middle third", "outer third"),
        rule=(
            "From the image's centre to the centre of the target's pixels, in thirds of half the"
            " image's diagonal. A model that guesses the middle is better at the inner third."
        ),
        columns=("centre_distance",),
        place=_by_centre,
    ),
)
"""Every way in which a table is sliced, in order."""

BY_WORDS_TITLE = "what the expression mentions"
BY_WORDS_RULE = (
    "By the hardest thing that the words mention, by a rule on words since these expressions came"
    " without a program: a relation before a location before an attribute before a noun. What is"
    " mentioned need not be needed."
)
"""Of the slicing by need, where no generator said what is needed."""
