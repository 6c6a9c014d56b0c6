"""RefClef (ReferIt): REFER's layout with annotation ids that are text, and other photographs."""

from pathlib import Path
from typing import Any

from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._shown import shown
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import Coco
from remamber.datasets._sources._refs import read_refs, refs_files, split_maker
from remamber.datasets._sources._rows import WrongRowError, field

register = SHAPES.register


@register("refclef")
class Refclef:
    """RefClef: ``refs(unc|berkeley).p`` with ids such as ``8756_2``, images of saiapr_tc-12."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A folder called refclef, or one with Berkeley's splits, that holds a refs file."""
        found = refs_files(path, "refs")
        folder = path if path.is_dir() else path.parent
        named = folder.name.lower() in ("refclef", "referit", "referitgame")
        return bool(found) and (named or any(split_maker(f) == "berkeley" for f in found))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check both files.

        Raises:
            UserError: a part is missing (exit 3), damaged, or the parts do not belong together
                (exit 6); a pickle that asks for code is refused.
        """
        source = read_refs(
            place, word="refs", what="RefClef's refs file", hints=["refclef"], ann_ids=_ann_ids
        )
        return _placed(source._replace(fingerprint=""))


def _ann_ids(row: dict[str, Any], coco: Coco) -> tuple[int, ...]:
    name = field(row, "ann_id", str, int)
    ann_id = coco.numbers.get(name) if isinstance(name, str) else name
    if ann_id is None:
        raise WrongRowError(f"'ann_id' is {shown(name)}, which is not in '{coco.path.name}'")
    return (ann_id,)


def _placed(source: Source) -> Source:
    """The same with names relative to the image folder: IAPR TC-12's archive has subfolders."""
    folder, annotations = source.images, source.annotations
    if not isinstance(folder, Path):
        return source
    deeper = {path.name: path for path in folder.glob("*/images/*.jpg")}
    placed: dict[int, ImageEntry] = {}
    for image_id, entry in annotations.images.items():
        found = None if (folder / entry.file_name).is_file() else deeper.get(entry.file_name)
        name = str(found.relative_to(folder)) if found else entry.file_name
        placed[image_id] = entry._replace(file_name=name)
    return source._replace(annotations=annotations._replace(images=placed))
