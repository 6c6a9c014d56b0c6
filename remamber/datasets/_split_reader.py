"""Images and masks of a list of refs at the model's resolution, decoded once while they fit."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets import Image, Mask, Referent, ReferringDataset
from remamber.datasets._transforms import resize_image, resize_mask

CACHE_BYTES = 512 * 2**20


class Sample(NamedTuple):
    """One ref at the model's resolution: image uint8 ``s s 3``, mask bool ``s s``."""

    image: Image
    mask: Mask


class SplitReader:
    """Resized images and masks by position in a list of refs.

    The cache keeps what came first and evicts nothing: an epoch visits every ref once, so the
    least recently used one is exactly what is needed next.

    Args:
        dataset: where pixels and masks come from.
        refs: the refs, for instance of one split.
        size: side of the square in pixels.
        cache_bytes: how much memory the decoded pixels and masks may take.
    """

    def __init__(
        self,
        dataset: ReferringDataset,
        refs: Sequence[Referent],
        *,
        size: int,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.refs = tuple(refs)
        self.size = size
        self.cached_bytes = 0
        self._dataset = dataset
        self._cache_bytes = cache_bytes
        self._kept: dict[Hashable, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.refs)

    def sample(self, index: int) -> Sample:
        """The ref at that position, in arrays that the caller may change.

        Raises:
            UserError: the image or the annotation cannot be read (exit 3 or 6).
        """
        return Sample(self._image(index).copy(), self._mask(index))

    def images(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """The images at those positions, uint8 ``b s s 3``; ``normalise`` makes them input.

        Raises:
            UserError: an image cannot be read (exit 3 or 6).
        """
        return np.stack([self._image(index) for index in indices])

    def masks(self, indices: Sequence[int]) -> NDArray[np.bool_]:
        """The masks at those positions, bool ``b s s``.

        Raises:
            UserError: an annotation describes no mask (exit 6).
        """
        return np.stack([self._mask(index) for index in indices])

    def _image(self, index: int) -> Image:
        image_id = self.refs[index].image_id
        return self._once(
            ("image", image_id), lambda: resize_image(self._dataset.image(image_id), self.size)
        )

    def _mask(self, index: int) -> Mask:
        ref = self.refs[index]
        packed = self._once(
            ("mask", ref.ref_id),
            lambda: np.packbits(resize_mask(self._dataset.mask(ref), self.size)),
        )
        bits = np.unpackbits(packed, count=self.size**2)
        return bits.astype(np.bool_).reshape(self.size, self.size)

    def _once(self, key: Hashable, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        if key in self._kept:
            return self._kept[key]
        decoded = decode()
        if self.cached_bytes + decoded.nbytes <= self._cache_bytes:
            self._kept[key] = decoded
            self.cached_bytes += decoded.nbytes
        return decoded
