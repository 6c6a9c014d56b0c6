"""REFER's own layout: ``instances.json`` beside ``refs(unc|umd|google).p``."""

from collections.abc import Sequence
from pathlib import Path

from remamber.datasets._annotations import Source
from remamber.datasets._json_file import collector_paused
from remamber.datasets._photographs import find_images
from remamber.datasets._refer_files import ReferFiles, fingerprint, read
from remamber.datasets._refer_index import build_index
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.errors import ExitCode, UserError

register = SHAPES.register

_KNOWN = ("refcoco", "refcoco+", "refcocog", "grefcoco")
_ENDINGS = ("json", "p")


@register("refer")
class Refer:
    """RefCOCO, RefCOCO+, RefCOCOg as published: ``instances.json``, ``refs(unc|umd|google).p``."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A folder of both files, or one of the two; RefClef's ids are text, so it is apart."""
        folder = path if path.is_dir() else path.parent
        inside = path.is_dir() or path.name == "instances.json" or path.name.startswith("refs(")
        makers = _makers(folder)
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
        name, split_by = _name(place, folder), _split_by(place, folder)
        images = place.images if place.images is not None else _images(folder)
        refs = next(
            found for ending in _ENDINGS if (found := _refs(folder, split_by, ending)).is_file()
        )
        instances = place.instances or folder / "instances.json"
        files = ReferFiles(instances, refs, images or folder)
        place.on_progress(f"reading {instances.name} and {refs.name}", 0, 0)
        with collector_paused():
            content = read(files)
            annotations = build_index(content, files)
        return Source(
            name,
            split_by,
            annotations,
            images,
            dict(zip((str(instances), str(refs)), content.digests, strict=True)),
            fingerprint=fingerprint(content.digests),
        )


def _name(place: SourcePlace, folder: Path) -> str:
    if place.name is not None:
        return place.name
    if folder.absolute().name in _KNOWN:
        return folder.absolute().name
    raise UserError(
        f"{place.path} does not say which data set it is",
        where=["the folder of REFER's files is called refcoco, refcoco+ or refcocog"],
        fix=[f"say it: remamber-bench data convert {place.path} --name refcoco"],
        slug="unknown_source_name",
        path=str(place.path),
    )


def _split_by(place: SourcePlace, folder: Path) -> str:
    makers = _makers(folder)
    wanted = place.split_by
    if wanted is None and place.path.name.startswith("refs("):
        wanted = place.path.stem.removeprefix("refs(").removesuffix(")")
    if wanted is None and len(makers) == 1:
        wanted = makers[0]
    if wanted in makers:
        return str(wanted)
    if wanted is not None or not makers:
        raise UserError(
            f"no refs({wanted or 'unc'}).p in {folder}",
            where=[f"found  {_listed(makers)}"],
            fix=[f"--split-by {makers[0]}"] if makers else ["unpack the whole archive"],
            exit_code=ExitCode.MISSING,
            slug="refs_missing",
            path=str(folder),
        )
    raise UserError(
        f"{folder} holds refs of several splits: say which",
        where=[f"found  {_listed(makers)}"],
        fix=[f"remamber-bench data convert {place.path} --split-by {m}" for m in makers],
        slug="several_splits",
        path=str(folder),
    )


def _listed(makers: Sequence[str]) -> str:
    return ", ".join(f"refs({maker})" for maker in makers) or "none"


def _makers(folder: Path) -> list[str]:
    found = [path for ending in _ENDINGS for path in folder.glob(f"refs(*).{ending}")]
    return sorted({path.stem.removeprefix("refs(").removesuffix(")") for path in found})


def _refs(folder: Path, split_by: str, ending: str) -> Path:
    return folder / f"refs({split_by}).{ending}"


def _images(folder: Path) -> Path | None:
    return find_images(folder.absolute().parent) or find_images(folder)
