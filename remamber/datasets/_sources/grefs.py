"""gRefCOCO as ReLA ships it: expressions of one target, of several, and of none."""

from pathlib import Path
from typing import Any

from remamber.datasets._annotations import Source
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import Coco
from remamber.datasets._sources._refs import read_refs, refs_files
from remamber.datasets._sources._rows import WrongRowError, field

register = SHAPES.register

_NO_TARGET = -1


@register("grefs")
class Grefs:
    """gRefCOCO: ``grefs(unc).json`` beside ``instances.json`` (ReLA, gRefCOCO)."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A ``grefs(...).json`` or ``.p``, or a folder that holds one."""
        return bool(refs_files(path, "grefs"))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check both files.

        Raises:
            UserError: a part is missing (exit 3), damaged, or the parts do not belong together
                (exit 6).
        """
        return read_refs(
            place,
            word="grefs",
            what="gRefCOCO's refs file",
            hints=["grefcoco"],
            ann_ids=_ann_ids,
        )


def _ann_ids(row: dict[str, Any], coco: Coco) -> tuple[int, ...]:
    named = field(row, "ann_id", int, list)
    ids = named if isinstance(named, list) else [named]
    if not all(type(ann_id) is int for ann_id in ids):
        raise WrongRowError("'ann_id' is not a list of annotation ids")
    if not ids or (_NO_TARGET in ids and len(ids) > 1):
        raise WrongRowError("'ann_id' names neither targets nor -1 alone")
    return () if ids == [_NO_TARGET] else tuple(dict.fromkeys(ids))
