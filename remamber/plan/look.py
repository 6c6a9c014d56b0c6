"""What is looked at inside a model: the features, the maps and the masks of some expressions."""

from typing import Annotated, Literal

from pydantic import Field

from remamber.plan.model_spec import Positive, Strict

MaskRule = Literal["best", "median", "worst", "disagreement"]
MASK_RULES: tuple[MaskRule, ...] = ("best", "median", "worst", "disagreement")


class DistributionSpec(Strict):
    """Features at taps and their principal components (Fig. 5).

    ``samples`` expressions of ``split``, evenly spaced, are read; ``points`` of each group are
    kept for the figure. A point is a ``channel`` as a vector over positions, or a ``position`` as
    one over channels. ``taps`` names some of the model's taps; none means all. With
    ``trained`` false the weights are initial: the control.
    """

    split: str = "val"
    samples: Annotated[int, Field(ge=1)] = 500
    points: Annotated[int, Field(ge=2, le=1024)] = 1024
    point: Literal["channel", "position"] = "channel"
    basis: Literal["panel", "joint"] = "panel"
    taps: tuple[str, ...] = ()
    trained: bool = True


class AttentionSpec(Strict):
    """Interaction or attention maps by depth (Fig. 4): measured on a split, some shown.

    ``limit`` measures that many expressions, evenly spaced, instead of the whole split;
    ``shown`` are sentence ids whose maps are kept for the figure, none means ``pictures`` of
    them by rule. With ``trained`` false the weights are initial: the control.
    """

    split: str = "val"
    limit: Positive | None = None
    pictures: Annotated[int, Field(ge=1, le=32)] = 4
    shown: tuple[int, ...] = ()
    trained: bool = True


class MaskExample(Strict):
    """An expression whose masks are shown, and the rule that chose it."""

    ref_id: int
    sent_id: int
    rule: MaskRule


class MasksSpec(Strict):
    """Predicted masks of chosen expressions (Figs. 6 and 7).

    Of each of ``rules``, ``count`` expressions of ``split`` are shown, at most one an image.
    ``keep`` are conditions on an expression, such as ``needs=location``; ``reference`` is the row
    by whose IoU the best, median and worst are found, the first if it is not among them. The fields
    after it are filled in before the run from what the trained rows scored: the rows that were
    asked, the number of expressions they were chosen from, and the chosen ones.
    """

    split: str = "val"
    rules: Annotated[tuple[MaskRule, ...], Field(min_length=1)] = MASK_RULES
    count: Annotated[int, Field(ge=1, le=16)] = 4
    keep: tuple[str, ...] = ()
    reference: str = ""
    rows: tuple[str, ...] = ()
    candidates: Annotated[int, Field(ge=0)] = 0
    items: tuple[MaskExample, ...] = ()


class ReceptiveSpec(Strict):
    """How far a model's features see: gradients of the middle features by the image's pixels.

    ``samples`` images of ``split``, evenly spaced, are read, each with the first expression of
    its first target. With ``trained`` false the weights are initial: the control.
    """

    split: str = "val"
    samples: Annotated[int, Field(ge=2)] = 64
    trained: bool = True
