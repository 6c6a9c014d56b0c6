"""Named protocols: how a predicted mask is made from a model's logits and held against its target.

Published numbers differ by more than the models do where these choices differ, so that every
row of a table names its protocol. The values were read in each project's evaluation code.
"""

from dataclasses import dataclass
from typing import Literal

from remamber.registry import unknown

DEFAULT = "orig-bilinear-0.5"
_IOU = ("mIoU", "oIoU")
_PRECISION = ("Pr@50", "Pr@60", "Pr@70", "Pr@80", "Pr@90")
NO_TARGET = ("gIoU", "cIoU", "N-acc", "T-acc")
"""Metrics that are defined where some expressions name nothing in their image."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one prediction is scored.

    Attributes:
        name: as on the command line and in records.
        summary: one clause for a reader of a table.
        fit: how an image becomes the model's square input: stretched, or scaled as it is and
            bordered with the mean colour (cubic, as CRIS). Its side is the spec's image size.
        native_size: side of the input in the project that it comes from, pixels.
        scored_size: side of the square on which masks are compared, pixels; None compares at the
            image's own size.
        resize: how the prediction gets there; ``bicubic-corners`` is bicubic with align_corners.
            A letterboxed input is taken back by the inverse affine map, bicubic.
        resized: what is resized, logits or their sigmoid.
        threshold: a pixel is foreground above this probability.
        mask_rule: which pixels of overlapping polygons belong to the target; None leaves it to
            the data's spec.
        empty_union: IoU where neither prediction nor target has a pixel.
        epsilon: added to the union when an IoU is computed.
        at_least: whether Pr@X counts an IoU of exactly X.
        targeted_only: whether Pr@X leaves out expressions without a target.
        expressions: which expressions of a ref are scored.
        metrics: what it reports, in order.
        source: where these choices are made.
    """

    name: str
    summary: str
    fit: Literal["stretch", "letterbox"] = "stretch"
    native_size: int | None = None
    scored_size: int | None = None
    resize: Literal["bilinear", "nearest", "bicubic-corners"] = "bilinear"
    resized: Literal["logits", "probabilities"] = "logits"
    threshold: float = 0.5
    mask_rule: Literal["union", "eq1"] | None = None
    empty_union: Literal[0, 1] = 0
    epsilon: float = 0.0
    at_least: bool = False
    targeted_only: bool = False
    expressions: Literal["every", "first", "last"] = "every"
    metrics: tuple[str, ...] = (*_IOU, *_PRECISION)
    source: str


_TABLE = (
    Protocol(
        name=DEFAULT,
        summary="logits resized bilinearly to the original image, foreground above 0.5",
        source="ours",
    ),
    Protocol(
        name="release",
        summary="logits resized by nearest neighbour to the original image, foreground above 0.5",
        native_size=480,
        resize="nearest",
        resized="probabilities",
        mask_rule="eq1",
        epsilon=1e-6,
        source="ReMamber 9edcf01, engine.evaluate; it computes no Pr@X, which is ours and strict",
    ),
    Protocol(
        name="lavt",
        summary="480x480 stretched, target by nearest neighbour, foreground by argmax",
        native_size=480,
        scored_size=480,
        mask_rule="eq1",
        at_least=True,
        source="LAVT-RIS 1da0af9, test.py",
    ),
    Protocol(
        name="cris",
        summary="letterboxed, taken back to the original image, foreground above 0.35",
        fit="letterbox",
        native_size=416,
        resized="probabilities",
        threshold=0.35,
        mask_rule="union",
        epsilon=1e-6,
        source="CRIS.pytorch 664b984, engine.inference; it prints mIoU as IoU, and no oIoU",
    ),
    Protocol(
        name="cris-val",
        summary="as cris, the first expression of a ref only: CRIS's choice of checkpoint",
        fit="letterbox",
        native_size=416,
        resized="probabilities",
        threshold=0.35,
        mask_rule="union",
        epsilon=1e-6,
        expressions="first",
        source="CRIS.pytorch 664b984, engine.validate",
    ),
    Protocol(
        name="cgformer",
        summary="probabilities resized bicubically to the original image, foreground above 0.5",
        native_size=480,
        resize="bicubic-corners",
        resized="probabilities",
        mask_rule="eq1",
        epsilon=1e-6,
        source="CGFormer 5dae394, engine.inference",
    ),
    Protocol(
        name="cgformer-val",
        summary="480x480 stretched, the last expression of a ref only: CGFormer's validation",
        native_size=480,
        scored_size=480,
        resized="probabilities",
        mask_rule="eq1",
        epsilon=1e-6,
        expressions="last",
        source="CGFormer 5dae394, engine.validate",
    ),
    Protocol(
        name="gres",
        summary="480x480 stretched, foreground by argmax, expressions without a target scored",
        native_size=480,
        scored_size=480,
        mask_rule="union",
        empty_union=1,
        at_least=True,
        targeted_only=True,
        metrics=(*NO_TARGET, "Pr@70", "Pr@80", "Pr@90"),
        source="ReLA (gRefCOCO); a model without a no-target head says so by an empty mask",
    ),
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _TABLE}


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    if name not in PROTOCOLS:
        raise unknown("protocol", name, tuple(PROTOCOLS))
    return PROTOCOLS[name]
