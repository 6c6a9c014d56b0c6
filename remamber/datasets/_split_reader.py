"""Images and masks at the model's resolution, decoded once while they fit, ahead where asked."""

import zlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets import Image, Mask, Referent, ReferringDataset
from remamber.datasets._decode_crew import DecodeCrew, DecodesElsewhere
from remamber.datasets._decode_worker import Job
from remamber.datasets._transforms import resize_image, resize_mask

CACHE_BYTES = 512 * 2**20
_GROUPS_AHEAD = 4


class Sample(NamedTuple):
    """One ref at the model's resolution: image uint8 ``s s 3``, mask bool ``s s``."""

    image: Image
    mask: Mask


class _Coming(NamedTuple):
    """What is being decoded, and for how many that have asked for it."""

    future: "Future[Any]"
    wanted: int


class _Ahead(NamedTuple):
    """Who decodes ahead, and a data set that can be decoded elsewhere."""

    dataset: DecodesElsewhere
    crew: DecodeCrew


class SplitReader:
    """Resized images and masks by position in a list of refs.

    The cache keeps what came first and evicts nothing: an epoch visits every ref once, so the
    least recently used one is exactly what is needed next. Masks are kept packed, a few hundred
    bytes each, so that all of a data set's fit. One thread at a time may use a reader.

    Args:
        dataset: where pixels and masks come from.
        refs: the refs, for instance of one split.
        size: side of the square in pixels.
        cache_bytes: how much memory the decoded pixels and masks may take.
        crew: decodes what is prepared; without one, everything is decoded when it is read.
    """

    def __init__(
        self,
        dataset: ReferringDataset,
        refs: Sequence[Referent],
        *,
        size: int,
        cache_bytes: int = CACHE_BYTES,
        crew: DecodeCrew | None = None,
    ) -> None:
        self.refs = tuple(refs)
        self.size = size
        self.cached_bytes = 0
        self._dataset = dataset
        self._cache_bytes = cache_bytes
        self._ahead = _ahead(dataset, crew)
        self._kept: dict[Hashable, Any] = {}
        self._coming: dict[Hashable, _Coming] = {}

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

    def stream(self, groups: Iterable[Sequence[int]]) -> Iterator[NDArray[np.uint8]]:
        """The images of one group of positions after another, the next ones decoded meanwhile.

        Raises:
            UserError: an image cannot be read (exit 3 or 6).
        """
        ahead: deque[Sequence[int]] = deque()
        try:
            for group in groups:
                self.prepare(group, masks=False)
                ahead.append(group)
                if len(ahead) > _GROUPS_AHEAD:
                    yield self.images(ahead.popleft())
            while ahead:
                yield self.images(ahead.popleft())
        finally:
            # Left over where the reader of the stream went away.
            self.forget()

    def prepare(self, indices: Iterable[int], *, masks: bool = True) -> None:
        """Have the crew decode what will be read: each position once for each time it is named.

        Args:
            indices: positions.
            masks: whether their masks will be read too.
        """
        if self._ahead is None:
            return
        for index in indices:
            ref = self.refs[index]
            image = partial(self._ahead.dataset.image_job, ref.image_id, self.size)
            self._begin(self._image_key(index), image, self._ahead.crew)
            if masks:
                mask = partial(_mask_job, self._ahead.dataset, ref, self.size)
                self._begin(self._mask_key(index), mask, self._ahead.crew)

    def forget(self) -> None:
        """Drop what was prepared and will not be read."""
        for coming in self._coming.values():
            coming.future.cancel()
        self._coming.clear()

    def _image_key(self, index: int) -> Hashable:
        return "image", self.refs[index].image_id

    def _mask_key(self, index: int) -> Hashable:
        return "mask", self.refs[index].ref_id

    def _image(self, index: int) -> Image:
        def decode() -> Image:
            return resize_image(self._dataset.image(self.refs[index].image_id), self.size)

        image: Image = self._once(self._image_key(index), decode)
        return image

    def _mask(self, index: int) -> Mask:
        def decode() -> bytes:
            return _packed(partial(self._dataset.mask, self.refs[index]), self.size)

        packed: bytes = self._once(self._mask_key(index), decode)
        bits = np.frombuffer(zlib.decompress(packed), dtype=np.uint8)
        flat = np.unpackbits(bits, count=self.size**2)
        return flat.astype(np.bool_).reshape(self.size, self.size)

    def _begin(self, key: Hashable, job: Callable[[], Job], crew: DecodeCrew) -> None:
        if key in self._kept:
            return
        coming = self._coming.get(key)
        future = coming.future if coming else crew.submit(job())
        self._coming[key] = _Coming(future, (coming.wanted if coming else 0) + 1)

    def _once(self, key: Hashable, decode: Callable[[], Any]) -> Any:  # noqa: ANN401
        if key in self._kept:
            return self._kept[key]
        coming = self._coming.pop(key, None)
        decoded = decode() if coming is None else coming.future.result()
        length = decoded.nbytes if isinstance(decoded, np.ndarray) else len(decoded)
        if self.cached_bytes + length <= self._cache_bytes:
            self._kept[key] = decoded
            self.cached_bytes += length
        elif coming is not None and coming.wanted > 1:
            self._coming[key] = _Coming(coming.future, coming.wanted - 1)
        return decoded


def _packed(mask: Callable[[], Mask], size: int) -> bytes:
    """A mask at the model's resolution, eight pixels a byte, compressed."""
    return zlib.compress(np.packbits(resize_mask(mask(), size)).tobytes(), level=1)


def _mask_job(dataset: DecodesElsewhere, ref: Referent, size: int) -> Job:
    return partial(_packed, dataset.mask_job(ref), size)


def _ahead(dataset: ReferringDataset, crew: DecodeCrew | None) -> _Ahead | None:
    if crew is None or not crew.processes or not isinstance(dataset, DecodesElsewhere):
        return None
    return _Ahead(dataset, crew)
