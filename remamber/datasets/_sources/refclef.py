"""RefClef (ReferIt): REFER's layout with annotation ids that are text, and other photographs."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remamber.datasets._annotations import Annotations, ImageEntry, Source
from remamber.datasets._json_file import read_whole
from remamber.datasets._shown import shown
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import Coco, read_coco
from remamber.datasets._sources._place import beside, called, files_in, image_folder, one_file
from remamber.datasets._sources._refs import gather_refs
from remamber.datasets._sources._rows import WrongRowError, field
from remamber.datasets._unpickle import load_plain_pickle

register = SHAPES.register


@register("refclef")
class Refclef:
    """RefClef: ``refs(unc|berkeley).p`` with ids such as ``8756_2``, images of saiapr_tc-12."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A folder called refclef, or one with Berkeley's splits, that holds a refs pickle."""
        found = _files(path)
        folder = path if path.is_dir() else path.parent
        named = folder.name.lower() in ("refclef", "referit", "referitgame")
        return bool(found) and (named or any(_split_by(f) == "berkeley" for f in found))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check both files.

        Raises:
            UserError: a part is missing (exit 3), damaged, or the parts do not belong together
                (exit 6); a pickle that asks for code is refused.
        """
        refs_file = one_file(place, _files(place.path), maker=_split_by, usual="refs(berkeley).p")
        coco = read_coco(beside(place, "instances.json") or refs_file.parent / "instances.json")
        raw = read_whole(refs_file)
        gathering = gather_refs(
            load_plain_pickle(raw, path=refs_file),
            coco,
            path=refs_file,
            what="RefClef's refs file",
            ann_ids=_ann_ids(coco),
        )
        gathering.note(
            "annotation ids of text, numbered from 1 in the file's order", len(coco.numbers)
        )
        annotations = gathering.annotations()
        folder, annotations = _placed(place, annotations)
        return Source(
            name=called(place, ["refclef"]).name,
            split_by=_split_by(refs_file),
            annotations=annotations,
            images=folder,
            files={
                str(coco.path): coco.sha256,
                str(refs_file): hashlib.sha256(raw).hexdigest(),
            },
            notes=gathering.notes(),
        )


def _files(path: Path) -> list[Path]:
    return files_in(path, "refs(*).p")


def _split_by(path: Path) -> str:
    return path.stem.removeprefix("refs(").removesuffix(")")


def _ann_ids(coco: Coco) -> Callable[[dict[str, Any]], tuple[int, ...]]:
    def ann_ids(row: dict[str, Any]) -> tuple[int, ...]:
        name = field(row, "ann_id", str, int)
        ann_id = coco.numbers.get(name) if isinstance(name, str) else name
        if ann_id is None:
            raise WrongRowError(f"'ann_id' is {shown(name)}, which is not in '{coco.path.name}'")
        return (ann_id,)

    return ann_ids


def _placed(place: SourcePlace, annotations: Annotations) -> tuple[Path | None, Annotations]:
    """The image folder, and names relative to it: the archive of IAPR TC-12 has subfolders."""
    images = annotations.images
    folder = image_folder(place, images)
    if folder is None:
        return None, annotations
    deeper = {path.name: path for path in folder.glob("*/images/*.jpg")}
    placed: dict[int, ImageEntry] = {}
    for image_id, entry in images.items():
        found = None if (folder / entry.file_name).is_file() else deeper.get(entry.file_name)
        name = str(found.relative_to(folder)) if found else entry.file_name
        placed[image_id] = entry._replace(file_name=name)
    return folder, annotations._replace(images=placed)
