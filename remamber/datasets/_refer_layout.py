"""Any data set in the REFER layout: instances.json, refs(SPLIT_BY) and COCO's image folder."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from remamber.datasets import Image, Mask, Referent
from remamber.datasets._annotations import Annotations
from remamber.datasets._decode_worker import Job
from remamber.datasets._outline import Outline, draw
from remamber.datasets._photographs import Photographs
from remamber.datasets._refer_files import ReferFiles, locate
from remamber.datasets._same_class import others_of_class
from remamber.datasets._segmentation import MaskRule
from remamber.datasets._sources import SourcePlace, read_source
from remamber.plan.spec import DataSpec
from remamber.registry import unknown

_LOG = logging.getLogger(__name__)
_WORDS = {"refer": "refs", "grefs": "grefs"}
"""How the name of the refs file begins, by shape."""


def open_refer(
    root: Path,
    spec: DataSpec,
    *,
    folder: str,
    split_by: str,
    name: str,
    shape: str = "refer",
    fingerprint: str | None = None,
    fix: Sequence[str] = (),
) -> "ReferFolder":
    """Open the data set in ``root/folder`` with the images under ``root``.

    Args:
        root: the data root.
        spec: gives the mask rule.
        folder: the data set's folder under the root, such as ``refcoco+``.
        split_by: who made the splits: ``unc``, ``umd`` or ``google``.
        name: what the data set is called in messages.
        shape: ``refer``, or ``grefs`` where a ref may have one target, several or none.
        fingerprint: of generated data, known from its configuration; None means the sha256
            of both annotation files.
        fix: lines that tell how to get the data set if a part is missing.

    Raises:
        UserError: a part is missing (exit 3) or damaged (exit 6).
    """
    word = _WORDS[shape]
    files = locate(root, folder=folder, word=word, split_by=split_by, name=name, fix=fix)
    place = SourcePlace(files.refs, files.images, files.instances, name, split_by)
    source = read_source(place, shape=shape)
    for note in source.notes:
        _LOG.warning("%s: %s", name, note)
    return ReferFolder(
        files,
        source.annotations,
        name=name,
        split_by=split_by,
        mask_rule=spec.mask_rule,
        fingerprint=fingerprint or source.fingerprint,
    )


class ReferFolder:
    """A data set in the REFER layout; images and masks are decoded when asked for.

    Args:
        files: where its parts lie.
        index: what its annotation files hold.
        name: its name on the command line.
        split_by: who made the splits.
        mask_rule: what happens where parts of one object overlap.
        fingerprint: sha256 (hexadecimal) of what defines expressions and masks.
    """

    def __init__(
        self,
        files: ReferFiles,
        index: Annotations,
        *,
        name: str,
        split_by: str,
        mask_rule: MaskRule,
        fingerprint: str,
    ) -> None:
        self.name = name
        self.split_by = split_by
        self.fingerprint = fingerprint
        self.location = files.instances.parent
        self._files = files
        self._index = index
        self._photographs = Photographs(files.images)
        self._mask_rule: MaskRule = mask_rule

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have at least one ref, train first."""
        return tuple(self._index.splits)

    def refs(self, split: str) -> list[Referent]:
        """The refs of exactly that split, in the order of their ids.

        Raises:
            UserError: no such split (exit 2), the message lists those there are; or some of
                its images are not in the image folder (exit 3), said before hours of training.
        """
        if split not in self._index.splits:
            place = f"data set  {self.name}, split by {self.split_by}, {self._files.refs}"
            raise unknown("split", split, self.splits(), where=[place])
        refs = list(self._index.splits[split])
        names = {self._index.images[ref.image_id].file_name for ref in refs}
        self._photographs.require(names, split=split)
        return refs

    def image(self, image_id: int) -> Image:
        """Pixels, uint8 ``h w 3`` at original size.

        Raises:
            UserError: the file is missing (exit 3) or cannot be read (exit 6).
        """
        return self._photographs.read(image_id, self._index.images[image_id])

    def image_job(self, image_id: int, size: int) -> Job:
        """What gives the image stretched to ``s s 3``, in whatever process it is called."""
        return self._photographs.job(image_id, self._index.images[image_id], size)

    def mask(self, ref: Referent) -> Mask:
        """The target, bool ``h w`` at original size, by the mask rule.

        Raises:
            UserError: the annotation describes no mask of the image's size (exit 6).
        """
        return draw(self._outline(ref.ann_ids, ref.image_id, rule=self._mask_rule))

    def mask_job(self, ref: Referent) -> Job:
        """What gives ``mask(ref)``, in whatever process it is called."""
        return partial(draw, self._outline(ref.ann_ids, ref.image_id, rule=self._mask_rule))

    def object_ids(self, image_id: int) -> tuple[int, ...]:
        """The annotation ids of an image's objects, in the file's order."""
        return self._index.objects.get(image_id, ())

    def same_class(self, ref: Referent) -> int:
        """Other objects of the target's class in its image; -1 where that is not known."""
        objects = self._index.objects.get(ref.image_id, ())
        return others_of_class(objects, self._index.classes, targets=ref.ann_ids)

    def all_objects(self, image_id: int) -> Mask:
        """Union of every annotated object of an image, bool ``h w`` at original size.

        Raises:
            UserError: an annotation describes no mask of the image's size (exit 6).
        """
        objects = self._index.objects.get(image_id, ())
        return draw(self._outline(objects, image_id, rule="union"))

    def _outline(self, ann_ids: Sequence[int], image_id: int, *, rule: MaskRule) -> Outline:
        entry = self._index.images[image_id]
        return Outline(
            tuple((ann_id, self._index.segmentations[ann_id]) for ann_id in ann_ids),
            image_id,
            height=entry.height,
            width=entry.width,
            rule=rule,
            file=self._files.instances,
        )
