"""gRefCOCO as ReLA ships it: expressions of one target, of several, and of none."""

import hashlib
from pathlib import Path
from typing import Any

from remamber.datasets._annotations import Source
from remamber.datasets._json_file import read_json, read_whole
from remamber.datasets._refer_files import fingerprint
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import read_coco
from remamber.datasets._sources._place import beside, called, files_in, image_folder, one_file
from remamber.datasets._sources._refs import gather_refs
from remamber.datasets._sources._rows import WrongRowError, field
from remamber.datasets._unpickle import load_plain_pickle

register = SHAPES.register

_NO_TARGET = -1


@register("grefs")
class Grefs:
    """gRefCOCO: ``grefs(unc).json`` beside ``instances.json`` (ReLA, gRefCOCO)."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A ``grefs(...).json`` or ``.p``, or a folder that holds one."""
        return bool(_files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check both files.

        Raises:
            UserError: a part is missing (exit 3), damaged, or the parts do not belong together
                (exit 6).
        """
        refs_file = one_file(place, _files(place.path), maker=_split_by, usual="grefs(unc).json")
        coco = read_coco(beside(place, "instances.json") or refs_file.parent / "instances.json")
        content, digest = _content(refs_file)
        gathering = gather_refs(
            content, coco, path=refs_file, what="gRefCOCO's refs file", ann_ids=_ann_ids
        )
        annotations = gathering.annotations()
        return Source(
            name=called(place, ["grefcoco"]).name,
            split_by=_split_by(refs_file),
            annotations=annotations,
            images=image_folder(place, annotations.images),
            files={str(coco.path): coco.sha256, str(refs_file): digest},
            notes=gathering.notes(),
            fingerprint=fingerprint((coco.sha256, digest)),
        )


def _files(path: Path) -> list[Path]:
    """One refs file of each maker; ReLA reads a pickle too, JSON is preferred."""
    pickles, texts = files_in(path, "grefs(*).p"), files_in(path, "grefs(*).json")
    return sorted({_split_by(found): found for found in (*pickles, *texts)}.values())


def _content(path: Path) -> tuple[Any, str]:
    if path.suffix == ".json":
        return read_json(path)
    raw = read_whole(path)
    return load_plain_pickle(raw, path=path), hashlib.sha256(raw).hexdigest()


def _split_by(path: Path) -> str:
    return path.stem.removeprefix("grefs(").removesuffix(")")


def _ann_ids(row: Any) -> tuple[int, ...]:  # noqa: ANN401
    named = field(row, "ann_id", int, list)
    ids = named if isinstance(named, list) else [named]
    if not all(type(ann_id) is int for ann_id in ids):
        raise WrongRowError("'ann_id' is not a list of annotation ids")
    if not ids or (_NO_TARGET in ids and len(ids) > 1):
        raise WrongRowError("'ann_id' names neither targets nor -1 alone")
    return () if ids == [_NO_TARGET] else tuple(dict.fromkeys(ids))
