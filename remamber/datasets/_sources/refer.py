"""REFER's own layout: ``instances.json`` beside ``refs(unc|umd|google).p``."""

from pathlib import Path
from typing import Any

from remamber.datasets._annotations import Source
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import Coco
from remamber.datasets._sources._refs import read_refs, refs_files, split_maker
from remamber.datasets._sources._rows import field

register = SHAPES.register


@register("refer")
class Refer:
    """RefCOCO, RefCOCO+, RefCOCOg as published: ``instances.json``, ``refs(unc|umd|google).p``."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A folder of both files, or one of the two; RefClef's ids are text, so it is apart."""
        folder = path if path.is_dir() else path.parent
        inside = path.is_dir() or path.name == "instances.json" or path.name.startswith("refs(")
        makers = {split_maker(found) for found in refs_files(folder, "refs")}
        apart = folder.name.lower().startswith(("refclef", "referit")) or "berkeley" in makers
        return inside and (folder / "instances.json").is_file() and bool(makers) and not apart

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check both files.

        Raises:
            UserError: the name, or which of several refs files, was not given (exit 2), a part is
                missing (exit 3), or damaged (exit 6).
        """
        folder = place.path if place.path.is_dir() else place.path.parent
        return read_refs(
            place,
            word="refs",
            what="a REFER refs file",
            hints=[folder.absolute().name],
            ann_ids=_ann_ids,
        )


def _ann_ids(row: dict[str, Any], coco: Coco) -> tuple[int, ...]:
    return (field(row, "ann_id", int),)
