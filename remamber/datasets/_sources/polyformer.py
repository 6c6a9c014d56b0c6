"""PolyFormer's TSV: one line an expression, with the image and the mask as base64 text."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._damaged import damaged
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._gathering import ONLY_NAMED, Gathering
from remamber.datasets._sources._pictures import mask_of
from remamber.datasets._sources._place import (
    called,
    files_in,
    hinted,
    nothing_there,
    one_set,
)
from remamber.datasets._sources._rows import WrongRowError, rows_of

register = SHAPES.register

_COCO_NAME = "COCO_train2014_{:012d}.jpg"
_COLUMNS = 8
_MIXED = "refcoco+g"
"""In the name of the shuffled training file, whose ref ids are those of three data sets."""
_LONGEST = 64 * 2**20
_LONGEST_ID = 18
_WHAT = "PolyFormer's TSV for fine-tuning"


class _Line(NamedTuple):
    """What one line says; the sentences of a ref stand one after the other."""

    ref: int
    sentence: int
    image_id: int
    text: str
    image: bytes
    mask: bytes


class _Kept(NamedTuple):
    """Where the line with the encoded pixels of an image begins."""

    path: Path
    offset: int


@register("polyformer")
class Polyformer:
    """PolyFormer: ``refcoco_val.tsv`` of eight columns, image and mask in base64."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A ``DATASET_SPLIT.tsv``, or a folder that holds some."""
        return any(hinted(file.stem).name for file in _files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check the lines of every split of one data set; images stay in the files.

        Raises:
            UserError: the data set cannot be told (exit 2), a file is cut short, mixes data
                sets or is damaged (exit 6).
        """
        mixed = [path for path in _files(place.path) if _MIXED in path.stem]
        found = [path for path in _files(place.path) if path not in mixed]
        if not found:
            raise nothing_there(place, "no DATASET_SPLIT.tsv")
        chosen = one_set(place, {hinted(path.stem): hinted(path.stem) for path in found})
        reading = _Reading(place)
        wanted = [path for path in found if hinted(path.stem) == chosen]
        files = {str(path): reading.file(path) for path in wanted}
        annotations = reading.gathering.annotations()
        # PolyFormer's script reads UMD's split of RefCOCOg, and no other.
        makers = ["refcocog_umd"] if chosen.name == "refcocog" else []
        name = called(place, [chosen.name, *makers])
        return Source(
            name=name.name,
            split_by=name.split_by,
            annotations=annotations,
            images=lambda image_id: _encoded(image_id, reading.kept),
            files=files,
            notes=(
                *reading.gathering.notes(),
                ONLY_NAMED,
                *(f"'{path.name}' left out: it mixes three data sets" for path in mixed),
                "sentences are numbered in the files' order: this shape has no ids of them",
                "masks leave out where parts of one object overlap, as PolyFormer writes them",
                "images are PolyFormer's own JPEG copies, not COCO's files",
            ),
        )


class _Reading:
    """What is read so far; ``kept`` says where the pixels of an image are."""

    def __init__(self, place: SourcePlace) -> None:
        self.gathering = Gathering(place.path)
        self.kept: dict[int, _Kept] = {}
        self._place = place

    def file(self, path: Path) -> str:
        """Read a file and give its sha256 (hexadecimal)."""
        digest, offset, total = hashlib.sha256(), 0, path.stat().st_size
        split = path.stem.rpartition("_")[2]
        open_ref: list[_Line] = []
        for number, raw in enumerate(_lines(path), start=1):
            digest.update(raw)
            with rows_of(path, f"{_WHAT} (line {number:,})"):
                line = _parse(raw)
                if open_ref and open_ref[0].ref != line.ref:
                    self._close(open_ref, split)
                    open_ref = []
                if open_ref and open_ref[0].image_id != line.image_id:
                    raise WrongRowError(
                        f"ref {line.ref} stands in two images: the file mixes several data sets"
                    )
                if line.sentence != len(open_ref):
                    raise WrongRowError(
                        f"sentence {line.sentence} of ref {line.ref} where {len(open_ref)} belongs"
                    )
                open_ref.append(line)
            self.kept.setdefault(line.image_id, _Kept(path, offset))
            offset += len(raw)
            self._place.on_progress(f"reading {path.name}", offset, total)
        with rows_of(path, _WHAT):
            if open_ref:
                self._close(open_ref, split)
        return digest.hexdigest()

    def _close(self, lines: list[_Line], split: str) -> None:
        first = lines[0]
        segmentation = mask_of(_decoded(first.mask, "mask"), f"the mask of ref {first.ref}")
        height, width = segmentation["size"]
        name = _COCO_NAME.format(first.image_id)
        self.gathering.add_image(first.image_id, ImageEntry(name, height, width))
        self.gathering.add_mask(first.ref, first.image_id, segmentation)
        base = self.gathering.said
        said = tuple(Expression(base + k, line.text) for k, line in enumerate(lines))
        self.gathering.add_ref(Referent(first.ref, first.image_id, (first.ref,), "", split, said))


def _parse(raw: bytes) -> _Line:
    columns = raw.rstrip(b"\r\n").split(b"\t")
    if len(columns) != _COLUMNS:
        kind = "boxes only" if len(columns) < _COLUMNS and raw.endswith(b"\n") else "cut short?"
        raise WrongRowError(f"{len(columns)} columns, not {_COLUMNS}: {kind}")
    if not raw.endswith(b"\n"):
        raise WrongRowError("the last line is cut short")
    try:
        ref, _, sentence = columns[0].decode("ascii").partition("_")
        text = columns[2].decode("utf-8").strip()
        image = columns[1].decode("ascii")
        if max(map(len, (ref, image))) > _LONGEST_ID:
            raise WrongRowError("an id of more digits than any has")
        return _Line(int(ref), int(sentence), int(image), text, columns[5], columns[6])
    except UnicodeDecodeError as error:
        raise WrongRowError(f"text that is not UTF-8 ({error.reason})") from error
    except ValueError as error:
        raise WrongRowError(f"no numbers where the ids should be ({error})") from error


def _decoded(text: bytes, name: str) -> bytes:
    """The bytes of base64 text in either alphabet."""
    try:
        return base64.b64decode(text.translate(_ONE_ALPHABET), validate=True)
    except binascii.Error as error:
        raise WrongRowError(f"the {name} is not base64 ({error})") from error


_ONE_ALPHABET = bytes.maketrans(b"-_", b"+/")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while line := stream.readline(_LONGEST):
            if len(line) == _LONGEST:
                raise damaged(f"'{path.name}' has a line of over {_LONGEST:,} bytes", path)
            yield line


def _encoded(image_id: int, kept: Mapping[int, _Kept]) -> bytes:
    path, offset = kept[image_id]
    with path.open("rb") as stream, rows_of(path, _WHAT):
        stream.seek(offset)
        return _decoded(_parse(stream.readline(_LONGEST)).image, "image")


def _files(path: Path) -> list[Path]:
    return files_in(path, "*.tsv")
