"""The target of a ref before it is drawn: small enough to be sent to another process."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets._damaged import FETCH_AGAIN, damaged
from remamber.datasets._segmentation import BadSegmentationError, MaskRule, decode


class Outline(NamedTuple):
    """The annotations whose union is a mask.

    Attributes:
        annotations: segmentations with their ids; none where there is no target.
        image_id: the image that they are drawn on, for messages.
        height: of that image, in pixels.
        width: of that image.
        rule: what happens where parts of one annotation overlap.
        file: where the annotations stand, for messages.
        fix: what to do if one of them is damaged.
    """

    annotations: tuple[tuple[int, Any], ...]
    image_id: int
    height: int
    width: int
    rule: MaskRule
    file: Path
    fix: tuple[str, ...] = (FETCH_AGAIN,)


def draw(outline: Outline) -> NDArray[np.bool_]:
    """The mask, bool ``h w`` at the image's size.

    Raises:
        UserError: an annotation describes no mask of the image's size (exit 6).
    """
    height, width = outline.height, outline.width
    union = np.zeros((height, width), dtype=np.bool_)
    for ann_id, segmentation in outline.annotations:
        try:
            union |= decode(segmentation, height, width, rule=outline.rule)
        except BadSegmentationError as error:
            place = f"annotation {ann_id} of image {outline.image_id}"
            what = f"{place} has no usable mask: {error}"
            raise damaged(what, outline.file, fix=outline.fix) from error
    return union
