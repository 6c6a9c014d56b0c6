"""Parquet rows with pixels and one flat polygon each (lmms-lab's copies for evaluation)."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets import Referent
from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._sources import SourcePlace
from remamber.datasets._sources._cris_rows import image_number
from remamber.datasets._sources._gathering import NUMBERED, ONLY_NAMED, Gathering, expressions
from remamber.datasets._sources._parquet_files import Place, cell, count, parsed
from remamber.datasets._sources._pictures import size_of
from remamber.datasets._sources._place import Called, called, folder_names, sha256
from remamber.datasets._sources._rows import WrongRowError, field, rows_of
from remamber.errors import ExitCode, UserError

PIXELS = ("image", "answer", "segmentation", "file_name")
"""Columns of such rows."""
_COCO_NAME = "COCO_train2014_{:012d}.jpg"
_MIXED = {("refcoco", "val"): 3_811 + 5_000, ("refcocog", "val"): 2_573 + 5_000}
"""Rows of the published splits that hold those of two makers."""


class _Seen(NamedTuple):
    """What a row is about: the image, and its target by the hash of the polygon."""

    image_id: int
    target: str


def read_pixels(place: SourcePlace, splits: Mapping[str, Sequence[Path]]) -> Source:
    """Read the splits that have one maker; the images stay in the files.

    Raises:
        UserError: the data set cannot be told (exit 2), every split mixes two makers' or a file
            is damaged (exit 6).
    """
    name = called(place, folder_names(place), splits=splits)
    left = {split: why for split in splits if (why := _why_left(name, split, splits))}
    if len(left) == len(splits):
        raise _all_left(place, left)
    gathering = Gathering(place.path)
    kept: dict[int, Place] = {}
    files = {}
    for split, path in ((s, path) for s in splits if s not in left for path in splits[s]):

        def add(row: dict[str, Any], split: str = split) -> int:
            return _add(row, split, gathering)

        total = count(path)
        for number, image_id in enumerate(parsed(path, PIXELS, add)):
            kept.setdefault(image_id, Place(path, number))
            place.on_progress(f"reading {path.name}", number + 1, total)
        files[str(path)] = sha256(path)
    return Source(
        name=name.name,
        split_by=name.split_by,
        annotations=gathering.annotations(),
        images=lambda image_id: _kept_bytes(kept[image_id]),
        files=files,
        notes=(
            *gathering.notes(),
            *(f"split '{split}' left out: {why}" for split, why in left.items()),
            ONLY_NAMED,
            NUMBERED,
            "an object is one polygon here: of those with several parts the rest is lost",
        ),
    )


def _why_left(name: Called, split: str, splits: Mapping[str, Sequence[Path]]) -> str:
    """Why a split is not one maker's; empty if nothing speaks against it."""
    if name.name == "refcoco" and split == "test" and name.split_by != "google":
        return "RefCOCO's 'test' is the google split's"
    if name.name == "refcoco" and split in ("testA", "testB") and name.split_by == "google":
        return f"RefCOCO's '{split}' is the unc split's"
    total = sum(count(path) for path in splits[split])
    if _MIXED.get((name.name, split)) == total:
        return f"its {total:,} rows are those of two makers' splits together"
    about = Counter(seen for path in splits[split] for seen in parsed(path, PIXELS[1:], _seen))
    twice = sum(number > 1 for number in about.values())
    return f"{twice:,} targets stand in it twice, as if two splits were mixed" if twice else ""


def _all_left(place: SourcePlace, left: Mapping[str, str]) -> UserError:
    return UserError(
        f"no split of {place.path} is one maker's",
        where=[f"{split}  {why}" for split, why in left.items()],
        fix=["take a copy with the splits apart, such as jxu124/refcoco"],
        exit_code=ExitCode.DAMAGED,
        slug="mixed_splits",
        path=str(place.path),
    )


def _seen(row: dict[str, Any]) -> _Seen:
    polygon = repr(_polygon(row)).encode()
    return _Seen(_image_id(row), hashlib.sha256(polygon).hexdigest())


def _image_id(row: dict[str, Any]) -> int:
    name = field(row, "file_name", str)
    # REFER's refs carry a number behind the image's, which no file has.
    return image_number(name.rpartition("_")[0] + ".jpg" if name.count("_") == 3 else name)


def _add(row: dict[str, Any], split: str, gathering: Gathering) -> int:
    image_id = _image_id(row)
    height, width = size_of(_encoded(row["image"]), f"image {image_id}")
    texts = row["answer"]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise WrongRowError("'answer' is not a list of expressions")
    ref_id = gathering.refs
    gathering.add_image(image_id, ImageEntry(_COCO_NAME.format(image_id), height, width))
    gathering.add_mask(ref_id, image_id, [_polygon(row)])
    said = expressions(texts, gathering.said)
    gathering.add_ref(Referent(ref_id, image_id, (ref_id,), "", split, said))
    return image_id


def _kept_bytes(place: Place) -> bytes:
    with rows_of(place.path, "a parquet file with pixels"):
        return _encoded(cell(place, "image"))


def _encoded(image: Any) -> bytes:  # noqa: ANN401
    content = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(content, bytes) or not content:
        raise WrongRowError("'image' holds no bytes")
    return content


def _polygon(row: dict[str, Any]) -> list[float]:
    polygon = field(row, "segmentation", list)
    if not all(isinstance(value, int | float) for value in polygon):
        raise WrongRowError("'segmentation' is not a flat list of numbers")
    return polygon
