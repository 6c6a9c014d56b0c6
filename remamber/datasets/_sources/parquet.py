"""Folders of parquet files from a data set hub, in the two styles that hold masks."""

from pathlib import Path

from remamber.datasets._annotations import Source
from remamber.datasets._damaged import damaged
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._coco import read_coco
from remamber.datasets._sources._parquet_files import columns_of, split_files
from remamber.datasets._sources._parquet_pixels import PIXELS, read_pixels
from remamber.datasets._sources._parquet_refer import NEEDED, WITH_MASKS, read_refer
from remamber.datasets._sources._place import nothing_there
from remamber.errors import UserError

register = SHAPES.register


@register("parquet")
class Parquet:
    """Hugging Face folders of ``SPLIT-*.parquet`` with masks (extra ``parquet``)."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A parquet file, or a folder that holds some, or that has them in ``data/``."""
        return bool(split_files(path))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check the rows of every split; embedded images stay in the files.

        Raises:
            UserError: the data set cannot be told (exit 2), the package is missing (exit 3),
                there are boxes only, or a file is damaged (exit 6).
        """
        splits = split_files(place.path)
        if not splits:
            raise nothing_there(place, "no SPLIT-00000-of-00001.parquet")
        first = next(iter(splits.values()))[0]
        columns = columns_of(first)
        if set(NEEDED) <= columns and place.instances is not None:
            return read_refer(place, splits, read_coco(place.instances))
        if {"raw_anns", "ref_id"} & columns and "answer" not in columns:
            if "raw_anns" not in columns and set(NEEDED) <= columns:
                raise _no_masks(first, columns)
            return read_refer(place, splits, None)
        if len({*PIXELS} & columns) >= len(PIXELS) - 1:
            return read_pixels(place, splits)
        raise _no_masks(first, columns)


def _no_masks(path: Path, columns: set[str]) -> UserError:
    return damaged(
        f"'{path.name}' holds no masks in a way that is known",
        path,
        where=[
            f"columns  {', '.join(sorted(columns))}",
            f"known    {', '.join(WITH_MASKS)}",
            f"or       {', '.join(PIXELS)}",
        ],
        fix=[
            "boxes with ann_id and ref_id: add --instances PATH/instances.json",
            "or take a copy that has the masks: jxu124/refcoco, lmms-lab/RefCOCO",
        ],
    )
