"""Shelf of fusion variants: how the expression enters the image features of one stage.

An entry is a class built once a stage, ``Entry(FusionShape)``, and called as below. Variants
replace the Twister layers and nothing else, so that tables compare fusions and not models. What
a variant lets a spec choose its class declares as ``options``; see ``plan.fusion_options``.
"""

from typing import Literal, NamedTuple, Protocol

from jaxtyping import Bool, Float
from torch import Tensor

from remamber.ops import FOUR_WAYS
from remamber.plan.spec import FusionSpec


class FusionShape(NamedTuple):
    """What a fusion must know to be built.

    Attributes:
        spec: the fusion's part of the run spec.
        channels: C of the stage.
        text_width: d, width of a text token.
        text_length: t, tokens of an expression.
        channel_grid: side of the map that the channel scan works on.
        interaction_width: inner width of the local interaction.
        release: keep the released behaviour, padding in the interaction map included.
        backend: name of a scan implementation, or "auto".
        seed: initial weights follow from it and from a part's name alone, so that parts that
            two variants share start equal.
        dims: C of all stages, over which a variant's parameters are balanced; none if there is
            this stage alone.
        directions: the orders in which a spatial scan reads the image.
    """

    spec: FusionSpec
    channels: int
    text_width: int
    text_length: int
    channel_grid: int
    interaction_width: int
    release: bool
    backend: str
    seed: str
    dims: tuple[int, ...] = ()
    directions: tuple[int, ...] = FOUR_WAYS


class Tap(NamedTuple):
    """A place whose features can be looked at, and what is what there.

    Attributes:
        path: of the submodule that shows it.
        groups: what the channels of a map are, in equal shares and in order, or what several
            outputs or inputs are, one each: ``image``, ``text`` (the expression as a whole or its
            tokens) and ``local`` (text at each position); none where they are mixed.
        reads: of the submodule the ``output``, the ``input``s, ``both`` (the first input, then
            the output), or the ``inner`` channels of an SS2D, before its output projection.
        channels: of each group; a map with another number of channels has its groups mixed.
    """

    path: str
    groups: tuple[str, ...] = ()
    reads: Literal["output", "input", "both", "inner"] = "output"
    channels: int = 0


class Fusion(Protocol):
    """The interface of every variant.

    Attributes:
        taps: display name -> the place, in the order in which features pass it.
    """

    taps: dict[str, Tap]

    def __call__(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
        text_global: Float[Tensor, "b d"],
    ) -> Float[Tensor, "b c h w"]:
        """Image features with the expression in them, of the same shape."""
