"""The form of generated files: images as PNG or JPEG, masks as run lengths or polygons."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from remamber.registry import unknown

Images = Literal["png", "jpg"]
Masks = Literal["rle", "polygon"]

IMAGES: tuple[str, ...] = get_args(Images)
MASKS: tuple[str, ...] = get_args(Masks)


@dataclass(frozen=True)
class Form:
    """The form of a data set's files.

    PNG and run lengths are exact. JPEG (quality 92) is smaller but differs between builds of
    its library; polygons are what readers of COCO's own format need.
    """

    images: Images = "png"
    masks: Masks = "rle"

    @staticmethod
    def of(*, images: str, masks: str) -> "Form":
        """The form that a user named.

        Raises:
            UserError: an unknown kind; the nearest is named.
        """
        if images not in IMAGES:
            raise unknown("image format", images, IMAGES)
        if masks not in MASKS:
            raise unknown("kind of segmentation", masks, MASKS)
        return Form(cast(Images, images), cast(Masks, masks))
