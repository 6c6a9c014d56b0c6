"""Batches for training, drawn so that a step's batch depends on the seed and the step alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from remamber.datasets import Referent, ReferringDataset
from remamber.datasets._decode_crew import DecodeCrew
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import normalise
from remamber.models._text import Tokenizer
from remamber.tasks._optimiser import Length

_DECODED_AHEAD, _MADE_AHEAD = 4, 2
"""Steps whose images are being decoded, and whose tensors are being made, during a step."""


class Batch(NamedTuple):
    """Images, tokenised expressions and target masks of one step."""

    image: Float[Tensor, "b 3 s s"]
    ids: Int[Tensor, "b t"]
    mask: Bool[Tensor, "b t"]
    target: Float[Tensor, "b 1 s s"]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


class _Drawn(NamedTuple):
    """The order of an epoch's refs, and where in its expressions each one's choice falls."""

    order: NDArray[np.int64]
    choice: NDArray[np.float64]


class _Pixels(NamedTuple):
    """The part of a batch that takes time."""

    image: Float[Tensor, "b 3 s s"]
    target: Float[Tensor, "b 1 s s"]


class TrainingBatches:
    """One random expression of every ref in an epoch, in an order of its own (the release).

    Args:
        dataset: where pixels and masks come from.
        refs: the refs to train on.
        size: side of the model's input.
        batch: refs of a step.
        tokenizer: of the model.
        length: steps of the run and of an epoch.
        seed: the run's.
        crew: decodes the batches to come while a step is computed; None decodes at the step.
    """

    def __init__(
        self,
        dataset: ReferringDataset,
        refs: Sequence[Referent],
        *,
        size: int,
        batch: int,
        tokenizer: Tokenizer,
        length: Length,
        seed: int,
        crew: DecodeCrew | None = None,
    ) -> None:
        self._refs = refs
        self._reader = SplitReader(dataset, refs, size=size, crew=crew)
        self._batch, self._tokenizer = batch, tokenizer
        self._length, self._seed = length, seed
        self._drawn = lru_cache(maxsize=2)(self._draw)
        ahead = crew is not None and crew.processes > 0
        self._maker = _Maker(self._reader, self._indices, length.steps) if ahead else None

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0; the same whenever and however often asked.

        Raises:
            UserError: an image or an annotation of the step cannot be read (exit 3 or 6).
        """
        indices = self._indices(step)
        pixels = self._maker.take(step) if self._maker else _made(self._reader, indices)
        choice = self._drawn(step // self._length.steps_per_epoch).choice
        texts = []
        for index in indices:
            expressions = self._refs[index].expressions
            texts.append(expressions[int(choice[index] * len(expressions))].text)
        # Here and not ahead: a tokenizer of transformers must not be used by two threads.
        tokens = self._tokenizer(texts)
        return Batch(pixels.image, tokens.ids, tokens.mask, pixels.target)

    def close(self) -> None:
        """Make nothing more ahead."""
        if self._maker:
            self._maker.close()

    def _indices(self, step: int) -> list[int]:
        epoch, place = divmod(step, self._length.steps_per_epoch)
        order = self._drawn(epoch).order
        indices: list[int] = order[place * self._batch : (place + 1) * self._batch].tolist()
        return indices

    def _draw(self, epoch: int) -> _Drawn:
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._refs))
        return _Drawn(order, generator.random(len(self._refs)))


class _Maker:
    """Makes the next steps' pixels in a thread of its own, in the order of the steps.

    Args:
        reader: used by that thread alone.
        indices: the positions in it that a step shows.
        steps: how many there are.
    """

    def __init__(
        self, reader: SplitReader, indices: Callable[[int], list[int]], steps: int
    ) -> None:
        self._reader, self._indices, self._steps = reader, indices, steps
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: dict[int, Future[_Pixels]] = {}
        self._next = self._prepared = 0

    def take(self, step: int) -> _Pixels:
        """The pixels of a step; those of the steps after it are begun."""
        window = range(step, max(step + 1, min(step + 1 + _MADE_AHEAD, self._steps)))
        self._coming = {
            s: self._coming.get(s) or self._thread.submit(self._make, s) for s in window
        }
        return self._coming.pop(step).result()

    def close(self) -> None:
        """Begin nothing more, and wait for what is being made."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _make(self, step: int) -> _Pixels:
        if step != self._next:
            self._reader.forget()
            self._prepared = step
        for ahead in range(max(step, self._prepared), min(step + _DECODED_AHEAD, self._steps)):
            self._reader.prepare(self._indices(ahead))
            self._prepared = ahead + 1
        self._next = step + 1
        return _made(self._reader, self._indices(step))


def _made(reader: SplitReader, indices: Sequence[int]) -> _Pixels:
    # By numpy alone: an operation of torch would start its threads a second time in this thread.
    targets = reader.masks(indices).astype(np.float32)[:, None]
    images = normalise(reader.images(indices))
    return _Pixels(torch.from_numpy(images), torch.from_numpy(targets))
