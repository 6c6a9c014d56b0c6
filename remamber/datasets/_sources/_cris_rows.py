"""One row of CRIS's data, as its JSON files and its LMDB both have it: a ref with its mask."""

import re
from pathlib import Path
from typing import Any

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import ImageEntry
from remamber.datasets._sources._coco_names import IN_ORDER
from remamber.datasets._sources._gathering import Gathering
from remamber.datasets._sources._pictures import mask_of
from remamber.datasets._sources._place import hinted
from remamber.datasets._sources._rows import WrongRowError, field

OVERLAPS = "masks are pictures: where parts of one object overlap cannot be told any more"
"""Said of every shape whose masks were drawn before they were stored."""


def image_number(name: str) -> int:
    """The image id in a COCO file name: the last digits of its stem.

    Raises:
        WrongRowError: the name has no such digits.
    """
    digits = re.search(r"(\d{1,15})\.[A-Za-z]+$", name)
    if digits is None:
        raise WrongRowError(f"no image id in the name '{name:.60}'")
    return int(digits.group(1))


def coco_category(row: Any, folder: Path) -> int | None:  # noqa: ANN401
    """COCO's category of a row; None for RefClef, whose numbers go through COCO's table too.

    Raises:
        WrongRowError: the row has none.
    """
    cat = field(row, "cat", int)
    return None if hinted(folder.name).name == "refclef" else cat


def add_row(
    gathering: Gathering,
    mask: bytes,
    *,
    ref_id: int,
    image: str,
    cat: int | None,
    split: str,
    said: tuple[Expression, ...],
) -> int:
    """Put a ref, its image and its mask into a gathering; the mask's size is the image's.

    Args:
        gathering: where to.
        mask: the encoded picture of the mask.
        ref_id: also the id that the mask's annotation gets.
        image: the image's file name.
        cat: COCO's category, 0 to 79; None where the numbers are others'.
        split: of the ref.
        said: its expressions.

    Returns:
        The id of the image.

    Raises:
        WrongRowError: the mask cannot be read, or the row contradicts an earlier one.
    """
    image_id = image_number(image)
    segmentation = mask_of(mask, f"the mask of ref {ref_id}")
    height, width = segmentation["size"]
    category = IN_ORDER[cat] if cat is not None and 0 <= cat < len(IN_ORDER) else ""
    gathering.add_image(image_id, ImageEntry(image, height, width))
    gathering.add_mask(ref_id, image_id, segmentation)
    gathering.add_ref(Referent(ref_id, image_id, (ref_id,), category, split, said))
    return image_id
