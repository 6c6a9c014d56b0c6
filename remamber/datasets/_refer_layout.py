"""Any data set in the REFER layout: instances.json, refs(SPLIT_BY) and COCO's image folder."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np

from remamber.datasets import Image, Mask, Referent
from remamber.datasets._annotations import Annotations
from remamber.datasets._damaged import damaged
from remamber.datasets._images import read_image
from remamber.datasets._refer_files import ReferFiles, locate, read
from remamber.datasets._refer_index import build_index
from remamber.datasets._segmentation import BadSegmentationError, MaskRule, decode
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec
from remamber.registry import unknown


def open_refer(
    root: Path,
    spec: DataSpec,
    *,
    folder: str,
    split_by: str,
    name: str,
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
        fingerprint: of generated data, known from its configuration; None means the sha256
            of both annotation files.
        fix: lines that tell how to get the data set if a part is missing.

    Raises:
        UserError: a part is missing (exit 3) or damaged (exit 6).
    """
    files = locate(root, folder=folder, split_by=split_by, name=name, fix=fix)
    with _collector_paused():
        content = read(files)
        index = build_index(content, files)
    return ReferFolder(
        files,
        index,
        name=name,
        split_by=split_by,
        mask_rule=spec.mask_rule,
        fingerprint=fingerprint or content.fingerprint,
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile: among millions of new lists it takes half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
        absent = sorted(names - self._photographs)
        if absent:
            raise _images_missing(absent, len(names), split, self._files.images)
        return refs

    @cached_property
    def _photographs(self) -> set[str]:
        """Names in the index that the image folder has; one listing is faster than 20,000 looks."""
        names = {entry.file_name for entry in self._index.images.values()}
        listed = {path.name for path in self._files.images.iterdir()}
        deeper = {name for name in names if "/" in name and (self._files.images / name).is_file()}
        return (names & listed) | deeper

    def image(self, image_id: int) -> Image:
        """Pixels, uint8 ``h w 3`` at original size.

        Raises:
            UserError: the file is missing (exit 3) or cannot be read (exit 6).
        """
        entry = self._index.images[image_id]
        path = self._files.images / entry.file_name
        return read_image(path, image_id, height=entry.height, width=entry.width)

    def mask(self, ref: Referent) -> Mask:
        """The target, bool ``h w`` at original size, by the mask rule.

        Raises:
            UserError: the annotation describes no mask of the image's size (exit 6).
        """
        return self._union(ref.ann_ids, ref.image_id, rule=self._mask_rule)

    def all_objects(self, image_id: int) -> Mask:
        """Union of every annotated object of an image, bool ``h w`` at original size.

        Raises:
            UserError: an annotation describes no mask of the image's size (exit 6).
        """
        return self._union(self._index.objects[image_id], image_id, rule="union")

    def _union(self, ann_ids: Sequence[int], image_id: int, *, rule: MaskRule) -> Mask:
        entry = self._index.images[image_id]
        union = np.zeros((entry.height, entry.width), dtype=np.bool_)
        for ann_id in ann_ids:
            try:
                segmentation = self._index.segmentations[ann_id]
                union |= decode(segmentation, entry.height, entry.width, rule=rule)
            except BadSegmentationError as error:
                what = f"annotation {ann_id} of image {image_id} has no usable mask: {error}"
                raise damaged(what, self._files.instances) from error
        return union


def _images_missing(absent: list[str], total: int, split: str, folder: Path) -> UserError:
    more = f" and {len(absent) - 3:,} more" if len(absent) > 3 else ""
    return UserError(
        f"{len(absent):,} of {total:,} images of split '{split}' are missing",
        where=[
            f"looked for  {', '.join(absent[:3])}{more}",
            f"in          {folder.absolute()}/",
        ],
        fix=[f"unpack the missing images into {folder.absolute()}/"],
        exit_code=ExitCode.MISSING,
        slug="image_missing",
        path=str(folder.absolute()),
    )
