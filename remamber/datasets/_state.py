"""How far a data set is there under a data root: converted, as published, in part, or not."""

from pathlib import Path
from typing import Literal, NamedTuple

from remamber.datasets._converted import image_place
from remamber.datasets._converted_index import read_index
from remamber.datasets._generated import is_generated
from remamber.datasets._origins import Origin
from remamber.datasets._photographs import IMAGE_FOLDERS, find_images
from remamber.errors import UserError

State = Literal["converted", "published", "in part", "damaged", "generated", "none"]


class Found(NamedTuple):
    """What is there of a data set.

    Attributes:
        state: ``converted`` and ``published`` can be used, if photographs are there;
            ``generated`` means that the data root was written by ``data synth``.
        parts: files and folders that are there.
        missing: those that are not; empty where the data set can be used.
        splits: names of the converted layouts' splits makers.
    """

    state: State
    parts: tuple[Path, ...]
    missing: tuple[Path, ...]
    splits: tuple[str, ...] = ()


def state_of(origin: Origin, root: Path) -> Found:
    """Look for a data set without opening its annotations."""
    folder = root / origin.name
    if is_generated(root):
        return Found("generated" if folder.exists() else "none", (), ())
    converted = sorted(folder.glob("converted(*)"))
    if converted:
        return _converted(converted, root)
    annotations = [folder / name for name in origin.files]
    named = root / origin.pictures.folder
    of_coco = origin.pictures.folder in IMAGE_FOLDERS
    images = find_images(root) if of_coco else named if named.is_dir() else None
    parts = [path for path in annotations if _is_there(path)]
    missing = [path for path in annotations if not _is_there(path)]
    state: State = "published" if not missing and images else "in part" if parts else "none"
    lacking = [*missing, *([] if images else [named])]
    return Found(state, (*parts, *([images] if images else [])), tuple(lacking))


def _converted(folders: list[Path], root: Path) -> Found:
    names = tuple(f.name.removeprefix("converted(").removesuffix(")") for f in folders)
    try:
        images = [image_place(root, read_index(folder)) for folder in folders]
    except UserError:
        return Found("damaged", tuple(folders), (), names)
    absent = tuple(dict.fromkeys(place for place in images if not place.is_dir()))
    there = tuple(dict.fromkeys(place for place in images if place.is_dir()))
    return Found("converted", (*folders, *there), absent, names)


def _is_there(path: Path) -> bool:
    return path.is_file() or path.with_suffix(".json").is_file()
