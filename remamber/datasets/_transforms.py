"""From a photograph and its mask to what the model sees: square, normalised by ImageNet.

As the release does it: stretched to a square whatever the aspect ratio, image bilinear with
antialiasing, mask by nearest neighbour.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def resize_image(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Stretch pixels ``h w 3`` to ``s s 3``."""
    stretched = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(stretched)


def resize_mask(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Stretch a mask ``h w`` to ``s s``."""
    grey = Image.fromarray(mask.astype(np.uint8))
    return np.array(grey.resize((size, size), Image.Resampling.NEAREST)) > 0


def normalise(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels ``b s s 3`` to zero mean and unit deviation of ImageNet, float32 ``b 3 s s``."""
    planes = [np.take(_TABLE[c], batch[..., c]) for c in range(3)]
    return np.stack(planes, axis=1)


def _table() -> NDArray[np.float32]:
    mean = np.array(IMAGENET_MEAN, dtype=np.float32)[:, None]
    std = np.array(IMAGENET_STD, dtype=np.float32)[:, None]
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    return ((levels - mean) / std).astype(np.float32)


_TABLE = _table()
"""The normalised value of each of 256 levels, float32 ``3 256``."""
