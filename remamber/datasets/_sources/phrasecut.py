"""PhraseCut: phrases about regions of Visual Genome's images, often several instances each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets import Referent
from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._json_file import read_json
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.datasets._sources._gathering import Gathering, expressions, size
from remamber.datasets._sources._place import files_in, image_folder, nothing_there
from remamber.datasets._sources._rows import WrongRowError, each, field, rows_of

register = SHAPES.register

_NAME = "phrasecut"


class _Task(NamedTuple):
    """One phrase: the instances it names, each a list of flat polygons."""

    image_id: int
    phrase: str
    category: str
    instances: list[list[list[float]]]


@register("phrasecut")
class Phrasecut:
    """PhraseCut: ``refer_SPLIT.json`` beside ``image_data_split3000.json`` (Visual Genome)."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """A folder with ``refer_SPLIT.json`` and ``image_data_split*.json``."""
        folder = path if path.is_dir() else path.parent
        return bool(_files(path)) and bool(files_in(folder, "image_data_split*.json"))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Read and check the phrases of every split.

        Raises:
            UserError: a part is missing (exit 3), or damaged (exit 6).
        """
        folder = place.path if place.path.is_dir() else place.path.parent
        found, about = _files(place.path), files_in(folder, "image_data_split*.json")
        if not found or not about:
            raise nothing_there(place, "no refer_SPLIT.json with image_data_split3000.json")
        content, digest = read_json(about[0])
        files = {str(about[0]): digest}
        with rows_of(about[0], "PhraseCut's list of images"):
            images = dict(each(content, "images", _image))
        reading = _Reading(Gathering(folder), images)
        for path in found:
            place.on_progress(f"reading {path.name}", 0, 0)
            content, files[str(path)] = read_json(path)
            reading.split = path.stem.removeprefix("refer_")
            with rows_of(path, "PhraseCut's list of phrases"):
                for _ in each(content, "phrases", reading.add):
                    pass
        annotations = reading.gathering.annotations()
        return Source(
            name=place.name or _NAME,
            split_by=place.split_by or _NAME,
            annotations=annotations,
            images=image_folder(place, annotations.images),
            files=files,
            notes=(
                *reading.gathering.notes(),
                "refs and regions are numbered in the files' order: theirs are text",
            ),
        )


class _Reading:
    """What is read so far, and the split that is being read."""

    def __init__(self, gathering: Gathering, images: Mapping[int, ImageEntry]) -> None:
        self.gathering = gathering
        self.split = ""
        self._images = images

    def add(self, row: Any) -> None:  # noqa: ANN401
        task = _task(row)
        if task.image_id not in self._images:
            raise WrongRowError(f"image {task.image_id} is not in the list of images")
        self.gathering.add_image(task.image_id, self._images[task.image_id])
        drawn = [polygons for polygons in task.instances if polygons]
        self.gathering.note(
            "instances without a polygon left out", len(task.instances) - len(drawn)
        )
        first = self.gathering.masks
        for number, polygons in enumerate(drawn):
            self.gathering.add_mask(first + number, task.image_id, polygons)
        if not drawn:
            self.gathering.note("phrases without any polygon left out")
            return
        self.gathering.add_ref(
            Referent(
                ref_id=self.gathering.refs,
                image_id=task.image_id,
                ann_ids=tuple(range(first, first + len(drawn))),
                category=task.category,
                split=self.split,
                expressions=expressions([task.phrase], self.gathering.said),
            )
        )


def _task(row: Any) -> _Task:  # noqa: ANN401
    about = field(row, "phrase_structure", dict, type(None)) or {}
    instances = list(each(field(row, "Polygons", list), "Polygons", _instance))
    name = about.get("name")
    return _Task(
        image_id=field(row, "image_id", int),
        phrase=field(row, "phrase", str),
        category=name if isinstance(name, str) else "",
        instances=instances,
    )


def _instance(polygons: Any) -> list[list[float]]:  # noqa: ANN401
    return list(each(polygons, "polygons", _flat))


def _flat(polygon: Any) -> list[float]:  # noqa: ANN401
    points = list(each(polygon, "points", _point))
    return [value for point in points for value in point]


def _point(point: Any) -> list[float]:  # noqa: ANN401
    whole = isinstance(point, list) and len(point) == 2
    if not whole or not all(type(value) in (int, float) for value in point):
        raise WrongRowError("no point of two numbers")
    return list(point)


def _image(row: Any) -> tuple[int, ImageEntry]:  # noqa: ANN401
    image_id = field(row, "image_id", int)
    return image_id, ImageEntry(f"{image_id}.jpg", *size(row))


def _files(path: Path) -> list[Path]:
    return files_in(path, "refer_*.json")
