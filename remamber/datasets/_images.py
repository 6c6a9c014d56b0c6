"""Photographs as RGB pixels, or an error that names the file, what is wrong and a way out.

EXIF rotation is not applied: COCO's masks, and so those of the RefCOCO family, were drawn on the
stored pixels. Transparency is ignored: the colours are those stored under it.
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from remamber.datasets._damaged import FETCH_AGAIN, damaged
from remamber.datasets._jpeg_stream import StrictStream, is_jpeg, strict
from remamber.errors import ExitCode, UserError

MAX_PIXELS = 80_000_000
"""The largest image that is decoded: 240 MB of pixels; the data sets' own have a third of one."""

MAX_BYTES = 256 * 2**20
"""The largest file that is read."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What pictures come in; Pillow knows more, some of which start other programs."""

_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_MANY_IN_ONE = frozenset({"MPO"})
"""Formats whose first image is the photograph and whose others are views of it."""


class _RefusedError(ValueError):
    """Says why an image is not read, and what would help."""

    def __init__(self, why: str, *fix: str) -> None:
        super().__init__(why)
        self.fix = fix


def read_image(
    path: Path, image_id: int, *, height: int, width: int, size: int | None = None
) -> NDArray[np.uint8]:
    """Pixels of an image, uint8 ``h w 3``, in the orientation that the masks were drawn in.

    Args:
        path: the image file.
        image_id: its id in the annotations, for messages.
        height: the height that the annotations state, in pixels.
        width: the width that they state.
        size: stretch to ``s s 3``, to the bit as ``resize_image`` does; None keeps the size.

    Raises:
        UserError: the file is missing or may not be read (exit 3); it is damaged, too large, no
            image of 8 bits a channel or of another size than its masks (exit 6).
    """
    content = _content(path, image_id)
    try:
        stream = strict(content) if is_jpeg(content) else io.BytesIO(content)
        with Image.open(stream, formats=_FORMATS) as image:
            _require_one_picture(image)
            _require_size(image, height, width)
            _require_eight_bits(image)
            pixels = _pixels(image, size)
        if isinstance(stream, StrictStream):
            stream.require_read()
        return pixels
    except _RefusedError as refused:
        raise _unreadable(path, image_id, str(refused), *refused.fix) from None
    except UnidentifiedImageError as error:
        raise _unreadable(path, image_id, _what_it_is(content)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _unreadable(path, image_id, f"more than {MAX_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise _unreadable(path, image_id, str(error) or type(error).__name__) from error


def _content(path: Path, image_id: int) -> bytes:
    try:
        length = path.stat().st_size
        if length > MAX_BYTES and path.is_file():
            what = f"{length:,} bytes, more than the {MAX_BYTES:,} that are read"
            raise _unreadable(path, image_id, what)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path, image_id) from error
    except IsADirectoryError as error:
        raise _unreadable(path, image_id, "it is a folder") from error
    except PermissionError as error:
        raise _closed(path, image_id) from error
    except OSError as error:
        raise _unreadable(path, image_id, error.strerror or str(error)) from error


def _require_one_picture(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _MANY_IN_ONE:
        raise _RefusedError(f"it has {frames} frames, and masks belong to one picture")


def _require_size(image: Image.Image, height: int, width: int) -> None:
    stored = image.size
    if stored == (width, height) and width * height <= MAX_PIXELS:
        return
    if stored == (width, height):
        raise _RefusedError(
            f"{width * height:,} pixels, more than the {MAX_PIXELS:,} that are read"
        )
    why = f"it has {stored[0]}x{stored[1]} pixels, its masks {width}x{height}"
    # Asked of no other image: of a PNG it decodes the pixels first.
    turn = image.getexif().get(ExifTags.Base.Orientation, 1) if stored == (height, width) else 1
    if turn in (5, 6, 7, 8):
        raise _RefusedError(
            f"{why}: they were drawn after the turn that its EXIF orientation {turn} asks for,"
            " and this program reads pixels as stored",
            "turn the stored pixels themselves, with: exiftran -ai FILE",
        )
    raise _RefusedError(why)


def _require_eight_bits(image: Image.Image) -> None:
    # Pillow reads colours of 16 bits as mode RGB, dropping the lower half without a word.
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    stored = str(tiles[0].args) if tiles else ""
    if image.mode not in _EIGHT_BIT or ";16" in stored:
        depth = "16 bits a channel" if ";16" in stored else f"{image.mode} pixels"
        raise _RefusedError(
            f"{depth}, not 8 bits a channel",
            "reduce it yourself, since its range is not known here: "
            "magick FILE -auto-level -depth 8 FILE",
        )


def _pixels(image: Image.Image, size: int | None) -> NDArray[np.uint8]:
    # A palette whose entries have an alpha each is only turned into RGB without a warning so.
    opaque = image.convert("RGBA") if isinstance(image.info.get("transparency"), bytes) else image
    colours = opaque if opaque.mode == "RGB" else opaque.convert("RGB")
    if size is not None:
        colours = colours.resize((size, size), Image.Resampling.BILINEAR)
    return np.array(colours, dtype=np.uint8)


def _what_it_is(content: bytes) -> str:
    if not content:
        return "the file is empty"
    if not content.strip(b"\0"):
        return "it holds nothing but zeros: it was not written to its end"
    if content[:1024].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, as servers send in place of a file that they do not have"
    kinds = ", ".join(_FORMATS[:-1])
    return f"it is not an image in {kinds} or {_FORMATS[-1]}; it begins with {content[:8]!r}"


def _missing(path: Path, image_id: int) -> UserError:
    return UserError(
        f"image {image_id} is missing: no file '{path.name}'",
        where=[f"looked for  {path.absolute()}"],
        fix=[f"unpack {path.name} into {path.parent.absolute()}"],
        exit_code=ExitCode.MISSING,
        slug="image_missing",
        path=str(path.absolute()),
    )


def _closed(path: Path, image_id: int) -> UserError:
    return UserError(
        f"image {image_id} may not be read: '{path.name}' (permission denied)",
        where=[f"file  {path.absolute()}"],
        fix=[f"chmod -R u+rX {path.parent.absolute()}"],
        exit_code=ExitCode.MISSING,
        slug="image_not_readable",
        path=str(path.absolute()),
    )


def _unreadable(path: Path, image_id: int, why: str, *fix: str) -> UserError:
    return damaged(
        f"image {image_id} cannot be read: '{path.name}' ({' '.join(why.split())})",
        path,
        where=[f"size  {path.stat().st_size:,} bytes"],
        fix=[line.replace("FILE", str(path)) for line in fix]
        or [f"unpack {path.name} again", FETCH_AGAIN],
    )
