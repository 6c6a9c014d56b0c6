"""Batches for training, drawn so that a step's batch depends on the seed and the step alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from remamber.datasets import Referent, ReferringDataset
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import normalise
from remamber.models._text import Tokenizer
from remamber.tasks._optimiser import Length


class Batch(NamedTuple):
    """Images, tokenised expressions and target masks of one step."""

    image: Float[Tensor, "b 3 s s"]
    ids: Int[Tensor, "b t"]
    mask: Bool[Tensor, "b t"]
    target: Float[Tensor, "b 1 s s"]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


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
    ) -> None:
        self._refs = refs
        self._reader = SplitReader(dataset, refs, size=size)
        self._batch, self._tokenizer = batch, tokenizer
        self._length, self._seed = length, seed
        self._epoch = -1
        self._order: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._choice: NDArray[np.float64] = np.zeros(0)

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0; the same whenever and however often asked."""
        epoch, place = divmod(step, self._length.steps_per_epoch)
        self._draw(epoch)
        indices = self._order[place * self._batch : (place + 1) * self._batch].tolist()
        texts = []
        for index in indices:
            expressions = self._refs[index].expressions
            texts.append(expressions[int(self._choice[index] * len(expressions))].text)
        tokens = self._tokenizer(texts)
        masks = torch.from_numpy(self._reader.masks(indices))
        images = torch.from_numpy(normalise(self._reader.images(indices)))
        return Batch(images, tokens.ids, tokens.mask, masks.unsqueeze(1).float())

    def _draw(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        generator = np.random.default_rng([self._seed, epoch])
        self._order = generator.permutation(len(self._refs))
        self._choice = generator.random(len(self._refs))
        self._epoch = epoch
