"""The JSON rows and PNG masks that CRIS and its successors make of REFER's files."""

import hashlib
from pathlib import Path
from typing import Any

from remamber.datasets import Expression
from remamber.datasets._annotations import Source
from remamber.datasets._json_file import read_json
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._cris_rows import OVERLAPS, add_row, coco_category
from remamber.datasets._sources._gathering import ONLY_NAMED, Gathering
from remamber.datasets._sources._pictures import read_bytes
from remamber.datasets._sources._place import (
    called,
    files_in,
    hinted,
    image_folder,
    nothing_there,
    one_set,
    starts_with,
)
from remamber.datasets._sources._rows import each, field, file_name, rows_of
from remamber.errors import ExitCode, UserError

register = SHAPES.register


@register("cris")
class Cris:
    """CRIS, ETRIS: ``anns/refcoco/SPLIT.json`` and the PNG masks in ``masks/refcoco/``."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A JSON file of rows with a segment_id and sentences, or a folder of such files."""
        return bool(_files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check the rows of every split and their masks.

        Raises:
            UserError: the data set cannot be told (exit 2), masks or images are missing
                (exit 3), a file is damaged (exit 6).
        """
        found = _files(place.path)
        if not found:
            raise nothing_there(place, "no anns/DATASET/SPLIT.json of CRIS's data preparation")
        folder = one_set(place, {path.parent: hinted(path.parent.name) for path in found})
        reading = _Reading(folder, _mask_folder(folder))
        files = {}
        for path in (path for path in found if path.parent == folder):
            content, files[str(path)] = read_json(path)
            reading.split = path.stem
            with rows_of(path, "a JSON file of CRIS's data preparation"):
                for number, _ in enumerate(each(content, "refs", reading.add), start=1):
                    place.on_progress(f"reading {path.name}", number, len(content))
        files[str(reading.masks)] = reading.digest.hexdigest()
        annotations = reading.gathering.annotations()
        name = called(place, [folder.name], splits=annotations.splits)
        return Source(
            name=name.name,
            split_by=name.split_by,
            annotations=annotations,
            images=image_folder(place, annotations.images),
            files=files,
            notes=(*reading.gathering.notes(), ONLY_NAMED, OVERLAPS),
        )


class _Reading:
    """What is read so far; ``digest`` is the sha256 of the masks in the order of the rows."""

    def __init__(self, folder: Path, masks: Path) -> None:
        self.gathering = Gathering(folder)
        self.masks = masks
        self.digest = hashlib.sha256()
        self.split = ""

    def add(self, row: Any) -> None:  # noqa: ANN401
        ref_id = field(row, "segment_id", int)
        mask = read_bytes(self.masks / f"{ref_id}.png", f"the mask of ref {ref_id}")
        self.digest.update(mask)
        add_row(
            self.gathering,
            mask,
            ref_id=ref_id,
            image=file_name(row, "img_name"),
            cat=coco_category(row, self.gathering.path),
            split=self.split,
            said=tuple(each(field(row, "sentences", list), "sentences", _expression)),
        )


def _expression(row: Any) -> Expression:  # noqa: ANN401
    return Expression(field(row, "sent_id", int), field(row, "sent", str).strip())


def _files(path: Path) -> list[Path]:
    """The JSON files of the shape in a file, in the folder of a data set or in ``anns/*/``."""
    patterns = ("*.json", "anns/*/*.json", "*/*.json")
    found = [file for pattern in patterns for file in files_in(path, pattern)]
    return [file for file in found if starts_with(file, '"segment_id"', '"img_name"')]


def _mask_folder(folder: Path) -> Path:
    wanted = folder.parent.parent / "masks" / folder.name
    if wanted.is_dir():
        return wanted
    raise UserError(
        f"no masks of {folder.name} beside its annotations",
        where=[f"looked for  {wanted.absolute()}/"],
        fix=[f"put the folder of PNG masks there: {wanted.absolute()}/REF_ID.png"],
        exit_code=ExitCode.MISSING,
        slug="masks_missing",
        path=str(wanted.absolute()),
    )
