"""The limits of the gates for generated data, by style and difficulty."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """Limits as fractions; None where a number is shown but not judged.

    Attributes:
        everything: mean IoU of outlining all objects.
        everything_half: share of IoU above a half of the same.
        mean_mask: mean IoU of the training targets' mean mask.
        text_only: mean IoU of the mean masks of an expression's words.
        above_chance: how much the largest object, and the object that is most often a target,
            may score above one in so many objects.
        noun: mean IoU of a random object of the named category.
        attributes: mean IoU of a random object that fits category and attributes.
        ceiling: least mean IoU of the target seen at stride 4.
        categories: most frequent over rarest category; people, who have a split of their own,
            are about twice as frequent as any one thing.
        place_p: least probability of the targets' places by chance.
        ranks: largest difference of a rank's share from chance.
    """

    everything: float | None = 0.25
    everything_half: float | None = 0.05
    mean_mask: float | None = 0.12
    text_only: float | None = 0.15
    above_chance: float | None = 0.10
    noun: float | None = 0.50
    attributes: float | None = None
    ceiling: float | None = 0.85
    categories: float | None = 2.5
    place_p: float | None = 0.001
    ranks: float | None = 0.10


FINEST_FOR_CEILING = 128
"""Below this resolution a map of stride 4 cannot hold small objects, whatever is drawn."""

_ATTRIBUTES = {"synth-refcoco": 0.75, "synth-refcocog": 0.80, "synth-grefcoco": 0.75}

# With fewer and larger objects outlining all of them scores more, and a noun says more.
_EASY = {
    "everything": 0.32,
    "everything_half": 0.20,
    "mean_mask": 0.15,
    "text_only": 0.18,
    "noun": 0.60,
    "attributes": 0.90,
}

NOT_JUDGED = Limits(*[None] * 11)
"""For real data, whose numbers are what they are."""


def limits_of(style: str, *, difficulty: str, size: int) -> Limits:
    """The limits of a generated data set.

    Args:
        style: its name.
        difficulty: easy, default or hard.
        size: side of the model's input in pixels.
    """
    limits = Limits(attributes=_ATTRIBUTES.get(style))
    if difficulty == "easy":
        limits = replace(limits, **{k: v for k, v in _EASY.items() if getattr(limits, k)})
    return limits if size >= FINEST_FOR_CEILING else replace(limits, ceiling=None)
