"""What the gates look at: a data set, its objects one by one, and what its generator wrote down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from remamber.datasets import Mask, OnProgress, Referent, ReferringDataset
from remamber.datasets._synthetic.entries import image_number
from remamber.datasets._synthetic.provenance import PROVENANCE, read_provenance


class Listed(ReferringDataset, Protocol):
    """A data set that also lists an image's objects; all that are read from files do."""

    def object_ids(self, image_id: int) -> tuple[int, ...]:
        """The annotation ids of an image's objects, in the file's order."""


class Objects(NamedTuple):
    """The objects of an image.

    Attributes:
        ids: annotation ids.
        masks: bool ``h w`` of each.
        looks: category and attributes of each; None where the data are not generated.
    """

    ids: tuple[int, ...]
    masks: tuple[Mask, ...]
    looks: tuple[dict[str, str], ...] | None


@dataclass(frozen=True)
class Drawn:
    """A generated image: its place in the data set, the attempt that gave it, its objects."""

    image_id: int
    split: str
    index: int
    attempt: int
    objects: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Subject:
    """A data set under test.

    Attributes:
        dataset: what was opened.
        train: the split that a guess may learn from.
        tested: the split that guesses are scored on.
        most: refs that are looked at of a split, evenly spaced; all if it has fewer.
        on_progress: told of anything that takes longer than a moment.
    """

    dataset: Listed
    train: str
    tested: str
    most: int = 5_000
    on_progress: OnProgress = lambda what, done, total: None

    @cached_property
    def provenance(self) -> dict[str, Any] | None:
        """What the generator wrote down; None for real data."""
        # Two levels up for the converted layout, which lies in a folder of its own.
        roots = list(self.dataset.location.parents[:2])
        return next((read_provenance(r) for r in roots if (r / PROVENANCE).is_file()), None)

    def sample(self, split: str) -> list[Referent]:
        """At most ``most`` refs of a split, evenly spaced, those of an image together."""
        refs = self.dataset.refs(split)
        step = max(1, -(-len(refs) // self.most))
        return sorted(refs[::step], key=lambda ref: ref.image_id)

    def images(self, split: str, *, what: str) -> Iterator[tuple[Objects, list[Referent]]]:
        """The sampled refs of a split, image by image, with the image's objects."""
        refs = self.sample(split)
        done = 0
        for image_id, group in groupby(refs, key=lambda ref: ref.image_id):
            here = list(group)
            yield self.objects(image_id), here
            done += len(here)
            self.on_progress(what, done, len(refs))

    def objects(self, image_id: int) -> Objects:
        """The objects of an image, decoded."""
        ids = self.dataset.object_ids(image_id)
        masks = tuple(self.dataset.mask(_single(image_id, ann_id)) for ann_id in ids)
        drawn = self.scenes.get(image_id)
        if drawn is None or len(drawn.objects) != len(ids):
            return Objects(ids, masks, None)
        return Objects(ids, masks, drawn.objects)

    @cached_property
    def programs(self) -> dict[int, dict[str, Any]]:
        """What the generator wrote down of each expression, by sentence id."""
        kept = self.provenance
        return {e["sent_id"]: e for e in kept["expressions"]} if kept is not None else {}

    @cached_property
    def scenes(self) -> dict[int, Drawn]:
        """What the generator wrote down of each image, by image id."""
        kept = self.provenance
        rows = kept["scenes"].values() if kept is not None else ()
        return {scene.image_id: scene for scene in map(_drawn, rows)}


def _drawn(row: dict[str, Any]) -> Drawn:
    _, split, index, attempt = row["seed"].split("/")
    number = image_number(split, int(index))
    return Drawn(number, split, int(index), int(attempt), tuple(row["objects"]))


def _single(image_id: int, ann_id: int) -> Referent:
    return Referent(-1, image_id, (ann_id,), "", "", ())


def single_targets(refs: Sequence[Referent]) -> list[Referent]:
    """Those with exactly one target: what most gates are about."""
    return [ref for ref in refs if len(ref.ann_ids) == 1]


def iou(guess: Mask, target: Mask) -> float:
    """Intersection over union; 0 where both are empty."""
    union = int((guess | target).sum())
    return int((guess & target).sum()) / union if union else 0.0
