"""The LMDB files of CRIS, ETRIS, CGFormer and DETRIS: one a split, JPEG and PNG in the values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets._annotations import Source
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._cris_rows import OVERLAPS, add_row, coco_category
from remamber.datasets._sources._gathering import ONLY_NAMED, Gathering, expressions
from remamber.datasets._sources._lmdb_file import LmdbFile, data_file, open_lmdb
from remamber.datasets._sources._place import called, hinted, nothing_there, one_set, sha256
from remamber.datasets._sources._rows import WrongRowError, field, file_name, rows_of

register = SHAPES.register

_NUMBERED = "sentences are numbered in the files' order: they have no ids"


class _Kept(NamedTuple):
    """Where the encoded pixels of an image are."""

    path: Path
    key: bytes


@register("lmdb")
class Lmdb:
    """CRIS, ETRIS, CGFormer, DETRIS: ``SPLIT.lmdb`` with pickled rows."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A ``SPLIT.lmdb``, or a folder that holds some."""
        return bool(_files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check the rows of every split; the images stay in the files.

        Raises:
            UserError: the data set cannot be told (exit 2), nothing is there (exit 3), a file is
                cut short, holds pyarrow's old values or asks for code (exit 6).
        """
        found = _files(place.path)
        if not found:
            raise nothing_there(place, "no SPLIT.lmdb")
        folder = one_set(place, {path.parent: hinted(path.parent.name) for path in found})
        gathering = Gathering(folder)
        kept: dict[int, _Kept] = {}
        files = {}
        for path in (path for path in found if path.parent == folder):
            with open_lmdb(path) as opened, rows_of(path, "an LMDB of CRIS's data"):
                _read_split(opened, gathering, kept, place)
            place.on_progress(f"hashing {path.name}", 0, 0)
            files[str(data_file(path))] = sha256(data_file(path))
        annotations = gathering.annotations()
        name = called(place, [folder.name], splits=annotations.splits)
        return Source(
            name=name.name,
            split_by=name.split_by,
            annotations=annotations,
            images=lambda image_id: _encoded(image_id, kept),
            files=files,
            notes=(
                *gathering.notes(),
                ONLY_NAMED,
                OVERLAPS,
                _NUMBERED,
            ),
        )


def _read_split(
    opened: LmdbFile, gathering: Gathering, kept: dict[int, _Kept], place: SourcePlace
) -> None:
    split = opened.path.stem
    keys = opened.keys()
    for number, key in enumerate(keys, start=1):
        try:
            image_id = _add(opened.value(key), split, gathering)
        except WrongRowError as error:
            raise WrongRowError(f"key '{key.decode('latin1'):.40}': {error}") from None
        kept.setdefault(image_id, _Kept(opened.path, key))
        place.on_progress(f"reading {opened.path.name}", number, len(keys))


def _add(row: Any, split: str, gathering: Gathering) -> int:  # noqa: ANN401
    texts = field(row, "sents", list)
    if not all(isinstance(text, str) for text in texts):
        raise WrongRowError("'sents' is not a list of text")
    if field(row, "num_sents", int) != len(texts):
        raise WrongRowError(f"{row['num_sents']} sentences are announced, {len(texts)} are there")
    return add_row(
        gathering,
        _bytes(row, "mask"),
        ref_id=field(row, "seg_id", int),
        image=file_name(row, "img_name"),
        cat=coco_category(row, gathering.path),
        split=split,
        said=expressions(texts, gathering.said),
    )


def _encoded(image_id: int, kept: Mapping[int, _Kept]) -> bytes:
    path, key = kept[image_id]
    with open_lmdb(path) as opened, rows_of(path, "an LMDB of CRIS's data"):
        return _bytes(opened.value(key), "img")


def _bytes(row: Any, key: str) -> bytes:  # noqa: ANN401
    """Encoded pixels; Python 2 wrote them as text."""
    found = field(row, key, bytes, str)
    return found.encode("latin1", "replace") if isinstance(found, str) else found


def _files(path: Path) -> list[Path]:
    if path.suffix == ".lmdb" and path.exists():
        return [path]
    patterns = ("*.lmdb", "*/*.lmdb") if path.is_dir() else ()
    return sorted(found for pattern in patterns for found in path.glob(pattern))
