"""Shelf of data sets: an image, the things in it, and the expressions that refer to them.

An entry is a function ``(DataSpec, DataPlace) -> ReferringDataset``. A data set, synthetic or
real, is read from the refer API's layout (``_refer_layout``) or from the one that ``data convert``
writes (``_converted``); ``_sources`` reads the shapes that can be converted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec
from remamber.registry import DATASETS

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
OnProgress = Callable[[str, int, int], None]
"""Called with (what is being done, how many are done, of how many)."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One sentence that names a target.

    ``needs`` says what understanding it takes (noun, attr, relation, location); empty where
    the data set does not say.
    """

    sent_id: int
    text: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Referent:
    """One target in one image with all its expressions (REFER's "ref")."""

    ref_id: int
    image_id: int
    ann_ids: tuple[int, ...]
    category: str
    split: str
    expressions: tuple[Expression, ...]


class ReferringDataset(Protocol):
    """What training and evaluation need of a data set.

    One that is also a ``DecodesElsewhere`` of ``_decode_crew`` can be decoded by other processes
    while the model computes.

    Attributes:
        name: the data set's name on the command line.
        fingerprint: sha256 (hexadecimal) of the files that define expressions and masks.
        location: the folder that it was read from.
    """

    name: str
    fingerprint: str
    location: Path

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have at least one ref."""

    def refs(self, split: str) -> list[Referent]:
        """The refs of a split in a fixed order; UserError names the splits if there is none."""

    def image(self, image_id: int) -> Image:
        """Pixels, uint8 ``h w 3`` at original size; UserError (exit 6) if they cannot be read."""

    def mask(self, ref: Referent) -> Mask:
        """The target, bool ``h w`` at original size, by the spec's mask rule."""

    def all_objects(self, image_id: int) -> Mask:
        """Union of every annotated object of an image, bool ``h w`` at original size."""


class SplitSize(NamedTuple):
    """How large a split is: an epoch shows every ref once, a score takes every expression."""

    refs: int
    expressions: int


@dataclass(frozen=True)
class DataPlace:
    """Where data may be found or made; not part of a run's identity.

    Attributes:
        root: the user's data root (``--data-root``), for data that cannot be generated.
        cache: folder for generated data; None means the user's cache folder.
        workers: processes that may generate.
        loaders: processes that decode images for training and evaluation; None leaves it to
            the amount there is to decode.
        on_progress: told of anything that takes longer than a moment.
    """

    root: Path | None = None
    cache: Path | None = None
    workers: int = 1
    loaders: int | None = None
    on_progress: OnProgress = field(default=lambda what, done, total: None)


def open_dataset(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """Open, or generate and open, the data set that a spec names.

    Raises:
        UserError: unknown name (exit 2), missing files (exit 3), damaged files or files other
            than those that the spec was made for (exit 6).
    """
    dataset: ReferringDataset = DATASETS.get(spec.name)(spec, place)
    if spec.fingerprint and spec.fingerprint != dataset.fingerprint:
        raise UserError(
            f"data set '{spec.name}' is not the one that this run was planned with",
            where=[
                f"planned  {spec.fingerprint[:12]}",
                f"found    {dataset.fingerprint[:12]} in {dataset.location}",
            ],
            fix=["run the same command again: it plans with the files that are there now"],
            exit_code=ExitCode.DAMAGED,
            slug="dataset_changed",
            path=str(dataset.location),
        )
    return dataset


def split_sizes(dataset: ReferringDataset, splits: Iterable[str]) -> dict[str, SplitSize]:
    """The size of each named split, by its name.

    Raises:
        UserError: the data set has no such split; the message names those it has.
    """
    found = {split: dataset.refs(split) for split in splits}
    return {
        split: SplitSize(len(refs), sum(len(ref.expressions) for ref in refs))
        for split, refs in found.items()
    }
