"""A data set in the converted layout: opened without parsing, decoded where it is looked at."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from remamber.datasets import Image, Mask, Referent
from remamber.datasets._annotations import ImageEntry
from remamber.datasets._converted_columns import DTYPES, OPTIONAL, Columns, fault
from remamber.datasets._converted_index import Index, read_index
from remamber.datasets._converted_refs import referents
from remamber.datasets._converted_write import COLUMNS, converted_folder, image_folder
from remamber.datasets._damaged import damaged
from remamber.datasets._decode_worker import Job
from remamber.datasets._outline import Outline, draw
from remamber.datasets._photographs import IMAGE_FOLDERS, Photographs, find_images
from remamber.datasets._same_class import NOT_KNOWN, others_of_class
from remamber.datasets._segmentation import MaskRule
from remamber.errors import UserError
from remamber.registry import unknown

_LOG = logging.getLogger(__name__)


def find_converted(root: Path, *, name: str, split_by: str) -> Path | None:
    """The folder of a converted data set under a data root, if there is one."""
    folder = converted_folder(root, name, split_by)
    return folder if folder.is_dir() else None


def open_converted(folder: Path, *, mask_rule: MaskRule) -> "ConvertedFolder":
    """Open ``ROOT/NAME/converted(SPLIT_BY)``; sizes and structure are checked, content is not.

    Raises:
        UserError: a file is missing, cut short, or leads nowhere (exit 6), or the layout is of
            another version (exit 3).
    """
    index = read_index(folder)
    wanted = [name for name in DTYPES if name in index.columns or name not in OPTIONAL]
    columns = {name: _column(folder, name, index) for name in wanted}
    wrong = fault(columns, categories=len(index.categories), needs=len(index.needs))
    refs = sum(split.refs for split in index.splits.values())
    if wrong is None and refs != len(columns["ref_id"]):
        wrong = f"{len(columns['ref_id']):,} refs in the columns, {refs:,} in the index"
    if wrong is not None:
        raise _broken(f"the converted data do not fit together: {wrong}", folder)
    _warn_of_changed_sources(index, folder)
    return ConvertedFolder(folder, index, columns, mask_rule=mask_rule)


class ConvertedFolder:
    """A converted data set; the columns are memory-mapped, so that what is read costs no memory.

    Args:
        folder: where it lies.
        index: its index.
        columns: by name, checked.
        mask_rule: what happens where parts of one object overlap.
    """

    def __init__(
        self, folder: Path, index: Index, columns: Columns, *, mask_rule: MaskRule
    ) -> None:
        self.name = index.name
        self.split_by = index.split_by
        self.fingerprint = index.fingerprint
        self.location = folder
        self._index = index
        self._columns = columns
        self._mask_rule: MaskRule = mask_rule
        self._rows = {int(i): row for row, i in enumerate(columns["image_id"])}
        self._photographs = Photographs(image_place(folder.parent.parent, index))
        self._read: dict[str, tuple[Referent, ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process opens the files again: a copy of the columns would be their size."""
        return _reopened, (self.location, self._mask_rule)

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have at least one ref, train first."""
        return tuple(self._index.splits)

    def refs(self, split: str) -> list[Referent]:
        """The refs of exactly that split, in the order of their ids.

        Raises:
            UserError: no such split (exit 2), the message lists those there are; some of its
                images are not in the image folder (exit 3); or the texts are damaged (exit 6).
        """
        if split not in self._index.splits:
            place = f"data set  {self.name}, split by {self.split_by}, {self.location}"
            raise unknown("split", split, self.splits(), where=[place])
        if split not in self._read:
            self._read[split] = self._referents(split)
        refs = list(self._read[split])
        names = {self._entry(self._rows[i]).file_name for i in {ref.image_id for ref in refs}}
        self._photographs.require(names, split=split)
        return refs

    def image(self, image_id: int) -> Image:
        """Pixels, uint8 ``h w 3`` at original size.

        Raises:
            UserError: the file is missing (exit 3) or cannot be read (exit 6).
        """
        return self._photographs.read(image_id, self._entry(self._rows[image_id]))

    def image_job(self, image_id: int, size: int) -> Job:
        """What gives the image stretched to ``s s 3``, in whatever process it is called."""
        return self._photographs.job(image_id, self._entry(self._rows[image_id]), size)

    def mask(self, ref: Referent) -> Mask:
        """The target, bool ``h w`` at original size, by the mask rule.

        Raises:
            UserError: the mask is damaged (exit 6).
        """
        return draw(self._target(ref))

    def mask_job(self, ref: Referent) -> Job:
        """What gives ``mask(ref)``, in whatever process it is called."""
        return partial(draw, self._target(ref))

    def all_objects(self, image_id: int) -> Mask:
        """Union of every annotated object of an image, bool ``h w`` at original size.

        Raises:
            UserError: a mask is damaged (exit 6).
        """
        image = self._rows[image_id]
        rows = range(*self._span("image_anns_at", image))
        return draw(self._outline(rows, image, rule="union"))

    def object_ids(self, image_id: int) -> tuple[int, ...]:
        """The annotation ids of an image's objects, in the file's order."""
        rows = slice(*self._span("image_anns_at", self._rows[image_id]))
        return tuple(self._columns["ann_id"][rows].tolist())

    def same_class(self, ref: Referent) -> int:
        """Other objects of the target's class in its image; -1 where that is not known."""
        numbers = self._columns.get("ann_category")
        if numbers is None:
            return NOT_KNOWN
        ids = self.object_ids(ref.image_id)
        rows = slice(*self._span("image_anns_at", self._rows[ref.image_id]))
        names = (self._index.categories[number] for number in numbers[rows].tolist())
        return others_of_class(ids, dict(zip(ids, names, strict=True)), targets=ref.ann_ids)

    def _target(self, ref: Referent) -> Outline:
        image = self._rows[ref.image_id]
        first, last = self._span("image_anns_at", image)
        ids = self._columns["ann_id"][first:last].tolist()
        rows = [first + ids.index(ann_id) for ann_id in ref.ann_ids]
        return self._outline(rows, image, rule=self._mask_rule)

    def _outline(self, rows: Sequence[int], image: int, *, rule: MaskRule) -> Outline:
        entry = self._entry(image)
        size = [entry.height, entry.width]
        ids = self._columns["ann_id"]
        return Outline(
            tuple(
                (int(ids[row]), {"size": size, "counts": self._run_lengths(row, rule)})
                for row in rows
            ),
            int(self._columns["image_id"][image]),
            height=entry.height,
            width=entry.width,
            # The run lengths of an annotation are those of the rule already.
            rule="union",
            file=self.location,
            fix=(_convert_again(self.location),),
        )

    def _run_lengths(self, row: int, rule: MaskRule) -> bytes:
        if rule == "eq1":
            others = self._columns["eq1_ann"]
            place = int(np.searchsorted(others, row))
            if place < len(others) and others[place] == row:
                return self._bytes("eq1_mask", place)
        return self._bytes("ann_mask", row)

    def _referents(self, split: str) -> tuple[Referent, ...]:
        names = list(self._index.splits)
        sizes = [size.refs for size in self._index.splits.values()]
        first = sum(sizes[: names.index(split)])
        rows = slice(first, first + self._index.splits[split].refs)
        try:
            return tuple(referents(self._columns, self._index, rows, split=split))
        except UnicodeDecodeError as error:
            path = self.location / COLUMNS / "sent_text.npy"
            raise _broken(f"'{path.name}' is not UTF-8 ({error.reason})", path) from error

    def _entry(self, image: int) -> ImageEntry:
        height, width = (int(self._columns[f"image_{side}"][image]) for side in ("height", "width"))
        return ImageEntry(self._bytes("image_name", image).decode(), height, width)

    def _bytes(self, name: str, row: int) -> bytes:
        first, last = self._span(f"{name}_at", row)
        return self._columns[name][first:last].tobytes()

    def _span(self, offsets: str, row: int) -> tuple[int, int]:
        first, last = self._columns[offsets][row : row + 2].tolist()
        return first, last


def image_place(root: Path, index: Index) -> Path:
    """The folder that the index names or, where that is not there, one that COCO is kept in."""
    named = image_folder(root, index)
    if named is not None and named.is_dir():
        return named
    return find_images(root) or named or root / IMAGE_FOLDERS[-1]


def _column(folder: Path, name: str, index: Index) -> NDArray[Any]:
    path = folder / COLUMNS / f"{name}.npy"
    try:
        if name not in index.columns or path.stat().st_size != index.columns[name].bytes:
            raise _broken(f"'{path.name}' has not the size that the index says", path)
        column: NDArray[Any] = open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise _broken(f"'{path.name}' cannot be read ({error})", path) from error
    if column.ndim != 1 or column.dtype != np.dtype(DTYPES[name]):
        raise _broken(f"'{path.name}' is no column of {DTYPES[name]}", path)
    return column


def _broken(what: str, path: Path) -> UserError:
    folder = path if path.is_dir() else path.parent.parent
    return damaged(what, path, fix=[_convert_again(folder)])


def _convert_again(folder: Path) -> str:
    return f"delete {folder} and run remamber-bench data convert again"


def _warn_of_changed_sources(index: Index, folder: Path) -> None:
    for name, file in index.sources.items():
        path = Path(name)
        if path.is_file() and path.stat().st_size != file.bytes:
            _LOG.warning("%s is not what %s was converted from: convert it again", path, folder)


def _reopened(folder: Path, mask_rule: MaskRule) -> ConvertedFolder:
    return open_converted(folder, mask_rule=mask_rule)
