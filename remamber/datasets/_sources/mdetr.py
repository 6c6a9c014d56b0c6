"""MDETR's JSON: one image entry an expression, boxes only; masks come from instances.json."""

from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import Source
from remamber.datasets._json_file import read_json
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import Coco, read_coco
from remamber.datasets._sources._gathering import NUMBERED, Gathering
from remamber.datasets._sources._place import (
    beside,
    called,
    files_in,
    hinted,
    image_folder,
    nothing_there,
    one_set,
)
from remamber.datasets._sources._rows import WrongRowError, each, field, rows_of
from remamber.errors import ExitCode, UserError

register = SHAPES.register

_NO_TARGET = -1
_INSTANCES = ("instances.json", "instances_train2014.json")


class _Entry(NamedTuple):
    """One image entry: an expression about an image."""

    entry_id: int
    image_id: int
    text: str


@register("mdetr")
class Mdetr:
    """MDETR: ``finetune_refcoco_val.json`` and its like; needs ``--instances instances.json``."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A ``finetune_DATASET_SPLIT.json``, or a folder that holds some."""
        return bool(_files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read the files of one data set and join their boxes with the masks by original id.

        Raises:
            UserError: the data set cannot be told (exit 2), there are no masks to join with
                (exit 3), the files are damaged or do not belong together (exit 6).
        """
        found = _files(place.path)
        if not found:
            raise nothing_there(place, "no finetune_DATASET_SPLIT.json")
        chosen = one_set(place, {hinted(path.stem): hinted(path.stem) for path in found})
        coco = read_coco(_instances(place))
        reading = _Reading(coco, place.path)
        files = {str(coco.path): coco.sha256}
        for path in (path for path in found if hinted(path.stem) == chosen):
            place.on_progress(f"reading {path.name}", 0, 0)
            content, files[str(path)] = read_json(path)
            with rows_of(path, "MDETR's COCO-like format"):
                reading.split(content, path.stem.rpartition("_")[2])
        coco.give(reading.gathering, reading.image_ids)
        reading.gathering.note(
            "refs are numbered here: this shape has none", reading.gathering.refs
        )
        annotations = reading.gathering.annotations()
        name = called(place, [chosen.name], splits=annotations.splits)
        # MDETR's script reads UMD's split of RefCOCOg, and no other.
        return Source(
            name=name.name,
            split_by=name.split_by,
            annotations=annotations,
            images=image_folder(place, annotations.images),
            files=files,
            notes=(
                *reading.gathering.notes(),
                NUMBERED,
            ),
        )


class _Reading:
    """Refs so far: neighbouring entries about the same targets are the expressions of one."""

    def __init__(self, coco: Coco, path: Path) -> None:
        self.gathering = Gathering(path)
        self.image_ids: set[int] = set()
        self._coco = coco

    def split(self, content: Any, split: str) -> None:  # noqa: ANN401
        if not isinstance(content, dict):
            raise WrongRowError(f"it holds a {type(content).__name__}, not a dict")
        targets: dict[int, list[int]] = {}
        for entry_id, ann_id in each(content.get("annotations"), "annotations", _target):
            targets.setdefault(entry_id, []).append(ann_id)
        said: dict[tuple[int, ...], list[str]] = {}
        for entry in each(content.get("images"), "images", _entry):
            if entry.entry_id not in targets:
                raise WrongRowError(f"image entry {entry.entry_id} has no annotation")
            ids = tuple(i for i in targets.pop(entry.entry_id) if i != _NO_TARGET)
            # Without a target each expression is a ref: nothing tells which belong together.
            key = (entry.image_id, *(ids or (_NO_TARGET, entry.entry_id)))
            said.setdefault(key, []).append(entry.text)
        if targets:
            raise WrongRowError(f"{len(targets):,} annotations belong to no image entry")
        for key, texts in said.items():
            self._add(key, texts, split)

    def _add(self, key: tuple[int, ...], texts: list[str], split: str) -> None:
        image_id, *rest = key
        ids = () if rest[0] == _NO_TARGET else tuple(dict.fromkeys(rest))
        first = self.gathering.said
        self.image_ids.add(image_id)
        self.gathering.add_ref(
            Referent(
                ref_id=self.gathering.refs,
                image_id=image_id,
                ann_ids=ids,
                category=self._coco.category(ids[0]) if ids else "",
                split=split,
                expressions=tuple(Expression(first + k, text) for k, text in enumerate(texts)),
            )
        )


def _entry(row: Any) -> _Entry:  # noqa: ANN401
    image_id = field(row, "original_id", int)
    return _Entry(field(row, "id", int), image_id, field(row, "caption", str).strip())


def _target(row: Any) -> tuple[int, int]:  # noqa: ANN401
    return field(row, "image_id", int), field(row, "original_id", int)


def _files(path: Path) -> list[Path]:
    return files_in(path, "finetune_*_*.json")


def _instances(place: SourcePlace) -> Path:
    found = beside(place, *_INSTANCES)
    if found is not None:
        return found
    raise UserError(
        f"{place.path} has boxes only: its masks are in COCO's instances.json",
        fix=[f"remamber-bench data convert {place.path} --instances PATH/instances.json"],
        exit_code=ExitCode.MISSING,
        slug="masks_missing",
        path=str(place.path),
    )
