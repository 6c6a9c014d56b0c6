"""Parquet rows that keep REFER's fields: polygons as JSON text, no pixels (jxu124's copies)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remamber.datasets import Referent
from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._sources import SourcePlace
from remamber.datasets._sources._coco import Coco
from remamber.datasets._sources._coco_names import COCO_NAMES
from remamber.datasets._sources._gathering import ONLY_NAMED, Gathering, size
from remamber.datasets._sources._parquet_files import parsed
from remamber.datasets._sources._place import called, folder_names, image_folder, sha256
from remamber.datasets._sources._refs import expression
from remamber.datasets._sources._rows import WrongRowError, each, field, file_name, rows_of

NEEDED = ("ref_id", "ann_id", "image_id", "split", "sentences")
"""Columns without which rows are not of this style."""
WITH_MASKS = (*NEEDED, "category_id", "raw_anns", "raw_image_info")
"""Columns of rows that hold their masks."""


def read_refer(
    place: SourcePlace, splits: Mapping[str, Sequence[Path]], coco: Coco | None
) -> Source:
    """Read all files; the masks are the rows' own, or those of ``coco`` if it is given.

    A row's split is the one in it: a file called ``test`` holds REFER's ``testA``.

    Raises:
        UserError: the data set cannot be told (exit 2), a file is damaged (exit 6).
    """
    gathering = Gathering(place.path)
    files = {} if coco is None else {str(coco.path): coco.sha256}
    image_ids: set[int] = set()
    for path in (path for paths in splits.values() for path in paths):
        place.on_progress(f"reading {path.name}", 0, 0)
        columns = WITH_MASKS if coco is None else NEEDED
        image_ids.update(parsed(path, columns, lambda row: _add(row, gathering, coco)))
        files[str(path)] = sha256(path)
    if coco is not None:
        with rows_of(coco.path, "COCO's instances format"):
            coco.give(gathering, image_ids)
    annotations = gathering.annotations()
    name = called(place, folder_names(place), splits=annotations.splits)
    return Source(
        name=name.name,
        split_by=name.split_by,
        annotations=annotations,
        images=image_folder(place, annotations.images),
        files=files,
        notes=(*gathering.notes(), *([] if coco else [ONLY_NAMED])),
    )


def _add(row: dict[str, Any], gathering: Gathering, coco: Coco | None) -> int:
    ann_id, image_id = field(row, "ann_id", int), field(row, "image_id", int)
    if coco is None:
        _add_mask(row, ann_id, image_id, gathering)
        category = COCO_NAMES.get(field(row, "category_id", int), "")
    else:
        category = coco.category(ann_id)
    gathering.add_ref(
        Referent(
            ref_id=field(row, "ref_id", int),
            image_id=image_id,
            ann_ids=(ann_id,),
            category=category,
            split=field(row, "split", str),
            expressions=tuple(each(field(row, "sentences", list), "sentences", expression)),
        )
    )
    return image_id


def _add_mask(row: dict[str, Any], ann_id: int, image_id: int, gathering: Gathering) -> None:
    about, image = _json(row, "raw_anns"), _json(row, "raw_image_info")
    if "segmentation" not in about:
        raise WrongRowError("boxes only, no 'segmentation' in 'raw_anns'")
    if field(about, "id", int) != ann_id:
        raise WrongRowError(f"'raw_anns' is about annotation {about['id']}, the row about {ann_id}")
    gathering.add_image(image_id, ImageEntry(file_name(image, "file_name"), *size(image)))
    gathering.add_mask(ann_id, image_id, field(about, "segmentation", list, dict))


def _json(row: dict[str, Any], key: str) -> dict[str, Any]:
    text = field(row, key, str)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongRowError(f"'{key}' is not whole JSON ({error})") from None
    if not isinstance(content, dict):
        raise WrongRowError(f"'{key}' holds a {type(content).__name__}, not a dict")
    return content
