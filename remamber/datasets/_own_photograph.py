"""A photograph that belongs to no data set, as its viewer sees it: upright, opaque, 8 bits.

Unlike the images of a data set, whose masks were drawn on the stored pixels, it is turned as its
EXIF orientation asks; what is transparent is laid on white, and 16 bits are reduced to 8.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from remamber.datasets._images import MAX_BYTES, MAX_PIXELS
from remamber.errors import ExitCode, UserError

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_TRANSPARENT = ("LA", "PA", "RGBA", "RGBa", "La")
_PLAIN = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


def read_photograph(path: Path) -> NDArray[np.uint8]:
    """Pixels, uint8 ``h w 3``; of several frames the first.

    Raises:
        UserError: there is no such file or it may not be read (exit 3); it is no image, damaged,
            too large, or its range of values is not known (exit 6).
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                _require_moderate(path, image)
                image.load()
                return np.array(_opaque(path, ImageOps.exif_transpose(image)), dtype=np.uint8)
    except UnidentifiedImageError as error:
        raise _refused(path, _what_it_is(content)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise _refused(path, f"it cannot be decoded: {error or type(error).__name__}") from error


def _opaque(path: Path, image: Image.Image) -> Image.Image:
    """The image in RGB, laid on white where it is transparent."""
    if image.mode in _SIXTEEN_BIT:
        levels = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    if image.mode not in _PLAIN:
        raise _refused(
            path,
            f"its pixels are numbers of mode {image.mode}, whose range is not known",
            fix=f"magick {path} -auto-level -depth 8 photo.png, then --image photo.png",
        )
    return image.convert("RGB")


def _require_moderate(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(path)


def _content(path: Path) -> bytes:
    try:
        length = path.stat().st_size
        if path.is_file() and length > MAX_BYTES:
            raise _too_large(path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path, "no such file") from error
    except IsADirectoryError as error:
        raise _missing(path, "it is a folder") from error
    except OSError as error:
        raise _missing(path, error.strerror or str(error)) from error


def _what_it_is(content: bytes) -> str:
    if not content:
        return "the file is empty"
    if content[:512].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "it is a web page"
    kinds = f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
    return f"it is not a {kinds}; it begins with {content[:8]!r}"


def _missing(path: Path, why: str) -> UserError:
    return UserError(
        f"image '{path}' cannot be read: {why}",
        where=[f"looked for  {path.absolute()}"],
        fix=["--image FILE: a photograph, such as photo.jpg"],
        exit_code=ExitCode.MISSING,
        slug="image_missing",
        path=str(path.absolute()),
    )


def _refused(path: Path, why: str, *, fix: str = "") -> UserError:
    return UserError(
        f"'{path}' is no image that can be read",
        where=[" ".join(str(why).split())],
        fix=[fix or "--image FILE: a photograph, such as photo.jpg"],
        exit_code=ExitCode.DAMAGED,
        slug="not_an_image",
        path=str(path.absolute()),
    )


def _too_large(path: Path) -> UserError:
    return UserError(
        f"'{path}' is too large: more than {MAX_PIXELS:,} pixels or {MAX_BYTES:,} bytes",
        where=["a model sees it at a few hundred pixels a side anyway"],
        fix=[f"magick {path} -resize 2048x2048 photo.jpg, then --image photo.jpg"],
        exit_code=ExitCode.DAMAGED,
        slug="image_too_large",
        path=str(path.absolute()),
    )
