"""Where the parts of a data set lie, and what it is called, as far as its files tell."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from remamber.datasets import _photographs as photographs
from remamber.datasets._annotations import ImageEntry
from remamber.datasets._sources import SourcePlace
from remamber.errors import ExitCode, UserError

T = TypeVar("T")

IMAGE_FOLDERS = (
    *photographs.IMAGE_FOLDERS,
    "images/saiapr_tc-12",
    "saiapr_tc-12",
    "images",
)
"""Image folders that the known code bases keep beside or above their annotations."""
_LEVELS_UP = 4
_LOOKED_AT = 3
_NAMES = {
    "grefcoco": "grefcoco",
    "grefs": "grefcoco",
    "refcocog": "refcocog",
    "refcocoplus": "refcoco+",
    "refcoco_plus": "refcoco+",
    "refcoco+": "refcoco+",
    "refcoco": "refcoco",
    "refclef": "refclef",
    "referitgame": "refclef",
    "phrasecut": "phrasecut",
}
_MAKERS = {
    "unc": "unc",
    "umd": "umd",
    "google": "google",
    "berkeley": "berkeley",
    "u": "umd",
    "g": "google",
}
_USUAL = {
    "refcoco": "unc",
    "refcoco+": "unc",
    "grefcoco": "unc",
    "refclef": "berkeley",
    "phrasecut": "phrasecut",
}


class Called(NamedTuple):
    """A data set's name and who made its splits; empty where a hint does not say."""

    name: str
    split_by: str


def hinted(text: str) -> Called:
    """What a file's or folder's name says, such as ``finetune_refcoco+_val`` or ``refcocog_u``."""
    low = text.lower()
    name = next((known for word, known in _NAMES.items() if word in low), "")
    words = re.split(r"[^a-z0-9+]+", low)
    return Called(name, next((_MAKERS[word] for word in words if word in _MAKERS), ""))


def called(place: SourcePlace, hints: Iterable[str], *, splits: Iterable[str] = ()) -> Called:
    """The data set's name and split maker: what the user gave, else what the hints say.

    Args:
        place: what the user gave.
        hints: names of files and folders and what the files say, the best first.
        splits: the names of its splits: only UMD's RefCOCOg has one called ``test``.

    Raises:
        UserError: one of the two cannot be told (exit 2).
    """
    told = [hinted(hint) for hint in hints]
    name = place.name or next((found.name for found in told if found.name), "")
    maker = place.split_by or next((found.split_by for found in told if found.split_by), "")
    if name == "refcocog" and not maker and "test" in set(splits):
        maker = "umd"
    maker = maker or _USUAL.get(name, "")
    unknown = [flag for flag, value in (("name", name), ("split-by", maker)) if not value]
    if not unknown:
        return Called(name, maker)
    what = "which data set this is" if not name else f"who made the splits of {name}"
    raise UserError(
        f"{place.path} does not say {what}",
        fix=[
            "say it: "
            f"remamber-bench data convert {place.path} "
            f"--name {name or 'refcoco'} --split-by {maker or 'unc'}",
        ],
        slug="unknown_source_name",
        path=str(place.path),
    )


def folder_names(place: SourcePlace) -> list[str]:
    """The names of the place and of the folders above it, nearest first."""
    path = place.path.absolute()
    return [path.name, *(parent.name for parent in path.parents[:2])]


def image_folder(place: SourcePlace, images: Mapping[int, ImageEntry]) -> Path | None:
    """The folder that holds the images, by a few of their names; None if none is found.

    Args:
        place: what the user gave; its image folder is used if there is one.
        images: the images.

    Raises:
        UserError: the folder that the user gave is none (exit 3).
    """
    if place.images is not None:
        if place.images.is_dir():
            return place.images
        raise UserError(
            f"no folder {place.images}",
            fix=["name the folder of the images: --images FOLDER"],
            exit_code=ExitCode.MISSING,
            slug="images_missing",
            path=str(place.images),
        )
    names = [entry.file_name for entry in islice(images.values(), _LOOKED_AT)]
    start = place.path if place.path.is_dir() else place.path.parent
    bases = [start.absolute(), *start.absolute().parents[:_LEVELS_UP]]
    tried = [base / folder for base in bases for folder in IMAGE_FOLDERS]
    return next((f for f in tried if any(_holds(f, name) for name in names)), None)


def beside(place: SourcePlace, *file_names: str) -> Path | None:
    """The first of those files in the place's folder, or the one given as ``instances``."""
    if place.instances is not None:
        return place.instances
    folder = place.path if place.path.is_dir() else place.path.parent
    return next((folder / name for name in file_names if (folder / name).is_file()), None)


def sha256(path: Path) -> str:
    """Of a file's bytes, hexadecimal; the file need not fit in memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def starts_with(path: Path, *texts: str, limit: int = 4096) -> bool:
    """Whether the first kilobytes of a file hold all of the texts; False if it has none."""
    try:
        with path.open("rb") as stream:
            head = stream.read(limit)
    except OSError:
        return False
    return all(text.encode() in head for text in texts)


def files_in(path: Path, pattern: str) -> list[Path]:
    """The file itself if its name fits the pattern, or those in the folder, sorted by name."""
    if path.is_file():
        return [path] if path.match(pattern) else []
    if not path.is_dir():
        return []
    return sorted(found for found in path.glob(pattern) if found.is_file())


def nothing_there(place: SourcePlace, what: str) -> UserError:
    """The error for a place that does not hold what its shape consists of (exit 3)."""
    return UserError(
        f"{what} in {place.path}",
        fix=["remamber-bench data list    (names the shapes and their files)"],
        exit_code=ExitCode.MISSING,
        slug="source_missing",
        path=str(place.path),
    )


def one_file(
    place: SourcePlace, found: Sequence[Path], *, maker: Callable[[Path], str], usual: str
) -> Path:
    """The one refs file of those found, by who made the splits where there are several.

    Raises:
        UserError: there is none (exit 3), or several and the user did not say which (exit 2).
    """
    wanted = [path for path in found if place.split_by in (None, maker(path))]
    if len(wanted) == 1:
        return wanted[0]
    if not found:
        raise nothing_there(place, f"no '{usual}'")
    if not wanted:
        raise UserError(
            f"no '{usual}' in {place.path}, only {', '.join(path.name for path in found)}",
            fix=[f"take what is there: --split-by {maker(path)}" for path in found],
            exit_code=ExitCode.MISSING,
            slug="refs_missing",
            path=str(place.path),
        )
    raise UserError(
        f"{place.path} holds several splits: {', '.join(path.name for path in wanted)}",
        fix=[f"choose one: --split-by {maker(path)}" for path in wanted],
        slug="several_splits",
        path=str(place.path),
    )


def one_set(place: SourcePlace, found: Mapping[T, Called]) -> T:
    """The one data set of those found, by its name and who made its splits.

    Args:
        place: what the user gave.
        found: what each is called, as far as its name says.

    Raises:
        UserError: several fit, or none does (exit 2).
    """
    fitting = [key for key, name in found.items() if _fits(place, name)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(sorted({" ".join(filter(None, found[key])) for key in fitting or found}))
    wanted = " ".join(filter(None, (place.name, place.split_by)))
    several = f"several data sets: {names}" if fitting else f"{names}, not {wanted}"
    raise UserError(
        f"{place.path} holds {several}",
        fix=[
            "say which: --name refcoco --split-by unc, as its files and folders are called",
            "or give the path of one of them",
        ],
        slug="several_data_sets",
        path=str(place.path),
    )


def _fits(place: SourcePlace, name: Called) -> bool:
    """Whether what a name says, where it says something, is what the user said."""
    pairs = ((place.name, name.name), (place.split_by, name.split_by))
    return all(not given or not said or given == said for given, said in pairs)


def _holds(folder: Path, name: str) -> bool:
    """Whether an image is in the folder, or where IAPR TC-12's archive has its images."""
    if not folder.is_dir():
        return False
    last = Path(name).name
    places = (folder / name, *(inner / last for inner in folder.glob("*/images")))
    return any(place.is_file() for place in places)
