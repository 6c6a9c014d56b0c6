"""The masks that some models find in a reader's own photograph: one picture and one page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remamber.record.files import write_whole
from remamber.report import format as fmt
from remamber.report.contact_sheet import contact_sheet
from remamber.report.gallery import Exhibit, Gallery, Tile
from remamber.report.gallery_page import gallery_parts
from remamber.report.overlay import overlay, tile_size
from remamber.report.page import asset, filled

FOLDER = "masks-own"
"""Below the folder of reports."""

_SIDE = 512
_QUALITY = 88


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one model found.

    Attributes:
        label: the model's name.
        weights: where its weights came from, for the page's last lines.
        image_size: side of its input, pixels.
        mask: bool ``h w`` at the photograph's size.
        unknown: words that it did not know.
        is_cut: whether the sentence lost its end.
    """

    label: str
    weights: str
    image_size: int
    mask: NDArray[np.bool_] = field(repr=False)
    unknown: tuple[str, ...] = ()
    is_cut: bool = False

    @property
    def share(self) -> float:
        """Of the photograph's pixels, those in the mask."""
        return float(self.mask.mean())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of this mask should know."""
        unknown = ", ".join(f"'{word}'" for word in self.unknown)
        said = [
            f"{self.label} does not know {unknown}" if unknown else "",
            f"{self.label} did not read the end of the sentence" if self.is_cut else "",
            f"{self.label} found nothing" if not self.mask.any() else "",
        ]
        return tuple(note for note in said if note)


def write_own(
    image: NDArray[np.uint8], text: str, found: Sequence[Found], *, stem: str, out: Path
) -> dict[str, Path]:
    """Write the picture and the page, each whole, once both are made.

    Args:
        image: the photograph, uint8 ``h w 3``.
        text: the sentence.
        found: what each model found, at least one.
        stem: names the files.
        out: folder of the reports.

    Returns:
        ``png`` and ``html`` -> the file.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    exhibit = _exhibit(image, text, found)
    contents: dict[str, bytes | str] = {
        "png": contact_sheet([exhibit]),
        "html": _page(exhibit, text, found, shape=image.shape[:2]),
    }
    paths = {kind: out / FOLDER / f"{stem}.{kind}" for kind in contents}
    for kind, content in contents.items():
        write_whole(paths[kind], content)
    return paths


def _exhibit(image: NDArray[np.uint8], text: str, found: Sequence[Found]) -> Exhibit:
    height, width = image.shape[:2]
    size = tile_size(height, width, _SIDE)
    content = _shown(image)
    return Exhibit(
        title=f"“{text}”",
        image=content,
        is_coarse=2 * width <= size[1],
        height=size[0],
        width=size[1],
        tiles=(
            Tile(label="Image"),
            *(
                Tile(
                    label=one.label,
                    caption=f"{fmt.share(one.share)} of the image",
                    overlay=overlay(one.mask, size=size, colour="blue"),
                )
                for one in found
            ),
        ),
    )


def _shown(image: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return stream.getvalue()


def _page(exhibit: Exhibit, text: str, found: Sequence[Found], *, shape: tuple[int, int]) -> str:
    from markupsafe import Markup

    gallery = Gallery(
        slug="own",
        title="Masks",
        words="A tint with an outline is what a model takes the sentence to name.",
        rules={},
        exhibits=(exhibit,),
    )
    return filled(
        "own_image.html.j2",
        text=text,
        shape=shape,
        gallery=gallery_parts(gallery),
        notes=[note for one in found for note in one.notes],
        found=found,
        style=Markup(asset("report.css") + asset("gallery.css")),
    )
