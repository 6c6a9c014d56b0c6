"""SeqTR's JSON: lists of refs by split, with polygons or run lengths in the rows."""

from pathlib import Path
from typing import Any

from remamber.datasets import Referent
from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._json_file import read_json
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._gathering import NUMBERED, ONLY_NAMED, Gathering, expressions, size
from remamber.datasets._sources._place import (
    Called,
    called,
    files_in,
    hinted,
    image_folder,
    nothing_there,
    one_set,
    starts_with,
)
from remamber.datasets._sources._rows import WrongRowError, each, field, rows_of
from remamber.errors import UserError

register = SHAPES.register

_COCO_NAME = "COCO_train2014_{:012d}.jpg"


@register("seqtr")
class Seqtr:
    """SeqTR, SimVG, C3VG: ``instances.json`` of ``{split: [rows with expressions and mask]}``."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A JSON file whose first kilobytes hold rows with expressions, or a folder of one."""
        return bool(_files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read the splits of one data set; a training split of several sets is left out.

        Raises:
            UserError: the data set cannot be told (exit 2), the rows have boxes only or are
                damaged (exit 6).
        """
        found = _files(place.path)
        if not found:
            raise nothing_there(place, "no JSON of rows with expressions")
        path = found[0]
        if len(found) > 1:
            raise UserError(
                f"{place.path} holds {len(found)} files of this shape",
                where=[str(file) for file in found],
                fix=[f"give one of them: remamber-bench data convert {path} --shape seqtr"],
                slug="several_data_sets",
                path=str(place.path),
            )
        content, digest = read_json(path)
        gathering = Gathering(path)
        with rows_of(path, "SeqTR's format"):
            if not isinstance(content, dict):
                raise WrongRowError(f"it holds a {type(content).__name__}, not a dict of splits")
            chosen, splits = _chosen(place, content)
            for key, split in splits.items():
                place.on_progress(f"reading split {split}", 0, 0)
                _read_split(content[key], split, gathering)
        left = [key for key in content if key not in splits]
        annotations = gathering.annotations()
        name = called(place, [*chosen, path.parent.name, path.stem], splits=annotations.splits)
        return Source(
            name=name.name,
            split_by=name.split_by,
            annotations=annotations,
            images=image_folder(place, annotations.images),
            files={str(path): digest},
            notes=(
                *gathering.notes(),
                ONLY_NAMED,
                NUMBERED,
                *([f"splits of other data sets left out: {', '.join(left)}"] if left else []),
            ),
        )


def _chosen(place: SourcePlace, content: dict[str, Any]) -> tuple[Called, dict[str, str]]:
    """What the data set is called and its splits by key: ``val_refcoco_unc`` is its ``val``."""
    named = {key: hinted(key) for key in content}
    if not any(name.name for name in named.values()):
        return Called("", ""), {key: key for key in content}
    sets = {name: name for name in named.values() if name.name}
    chosen = one_set(place, sets)
    return chosen, {key: key.partition("_")[0] for key in content if named[key] == chosen}


def _read_split(rows: Any, split: str, gathering: Gathering) -> None:  # noqa: ANN401
    def add(row: Any) -> None:  # noqa: ANN401
        image_id = field(row, "image_id", int)
        texts = field(row, "expressions", list)
        if not all(isinstance(text, str) for text in texts):
            raise WrongRowError("'expressions' is not a list of text")
        if "mask" not in row and "bbox" in row:
            raise WrongRowError("boxes only, no 'mask': this is the file for detection")
        ref_id = gathering.refs
        gathering.add_image(image_id, ImageEntry(_COCO_NAME.format(image_id), *size(row)))
        gathering.add_mask(ref_id, image_id, field(row, "mask", list, dict))
        said = expressions(texts, gathering.said)
        # Which numbering 'category_id' follows is said nowhere.
        gathering.add_ref(Referent(ref_id, image_id, (ref_id,), "", split, said))

    for _ in each(rows, f"split '{split}'", add):
        pass


def _files(path: Path) -> list[Path]:
    return [
        found
        for found in files_in(path, "*.json")
        if starts_with(found, '"expressions"', '"image_id"', limit=2**16)
    ]
