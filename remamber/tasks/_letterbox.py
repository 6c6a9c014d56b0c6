"""CRIS's way of making an image square: scaled as it is, centred, bordered with the mean colour.

The map takes pixel x to s x + b, with s the smaller ratio of the sides and b half of what is
left over, between pixel indices (no half-pixel shift), and reads bicubically (a = -0.75) without
antialiasing. OpenCV, which CRIS uses, rounds positions to 1/32 pixel; here they are exact.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from remamber.datasets import Image
from remamber.datasets._transforms import IMAGENET_MEAN


class Letterbox(NamedTuple):
    """The map from an image's pixels to those of the square: ``scale`` times, plus the borders."""

    scale: float
    left: float
    top: float


def letterbox_of(height: int, width: int, size: int) -> Letterbox:
    """The map of an image ``height width`` into a square of side ``size``."""
    scale = min(size / height, size / width)
    return Letterbox(scale, (size - width * scale) / 2, (size - height * scale) / 2)


def letterboxed(image: Image, size: int) -> NDArray[np.uint8]:
    """Pixels ``h w 3`` as ``s s 3``; the border is ImageNet's mean, zero once normalised."""
    height, width = image.shape[:2]
    box = letterbox_of(height, width, size)
    colour = torch.tensor(IMAGENET_MEAN)[:, None, None] * 255
    planes = torch.from_numpy(image).permute(2, 0, 1).float() - colour
    columns = (torch.arange(size) - box.left) / box.scale
    rows = (torch.arange(size) - box.top) / box.scale
    square = _read(planes, rows, columns) + colour
    pixels: NDArray[np.uint8] = square.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(pixels)


def taken_back(square: Float[Tensor, "s s"], *, shape: tuple[int, int]) -> Float[Tensor, "h w"]:
    """What was predicted in the square, at the pixels of the image; zero outside the square."""
    height, width = shape
    box = letterbox_of(height, width, square.shape[0])
    columns = torch.arange(width) * box.scale + box.left
    rows = torch.arange(height) * box.scale + box.top
    return _read(square[None], rows, columns)[0]


def _read(
    planes: Float[Tensor, "c h w"], rows: Float[Tensor, " p"], columns: Float[Tensor, " q"]
) -> Float[Tensor, "c p q"]:
    """Planes at fractional rows and columns, bicubic, zero outside."""
    height, width = planes.shape[1:]
    # grid_sample counts from -1 at the first pixel's centre to 1 at the last's.
    y = 2 * rows / max(height - 1, 1) - 1
    x = 2 * columns / max(width - 1, 1) - 1
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    read = F.grid_sample(planes[None], grid[None].to(planes), mode="bicubic", align_corners=True)
    return read[0]
