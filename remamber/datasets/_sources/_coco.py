"""COCO's ``instances.json``: the images, masks and categories that refs point to."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from remamber.datasets._annotations import ImageEntry
from remamber.datasets._json_file import read_json
from remamber.datasets._shown import shown
from remamber.datasets._sources._gathering import Gathering, size
from remamber.datasets._sources._rows import WrongRowError, each, field, file_name, rows_of
from remamber.errors import ExitCode, UserError

T = TypeVar("T")


class CocoObject(NamedTuple):
    """One annotation: where it is, what it is, its polygons or run lengths."""

    image_id: int
    category_id: int
    segmentation: Any


class Coco(NamedTuple):
    """The content of an ``instances.json``.

    Attributes:
        path: the file.
        sha256: of its bytes, hexadecimal.
        images: by id.
        objects: annotations by id; ids that are text in the file are numbered from 1 in its
            order.
        numbers: the number of every id that is text.
        categories: names by id.
    """

    path: Path
    sha256: str
    images: Mapping[int, ImageEntry]
    objects: Mapping[int, CocoObject]
    numbers: Mapping[str, int]
    categories: Mapping[int, str]

    def category(self, ann_id: int) -> str:
        """The name of what an annotation is; empty where the file does not say."""
        found = self.objects.get(ann_id)
        return self.categories.get(found.category_id, "") if found else ""

    def give(self, gathering: Gathering, image_ids: Collection[int]) -> None:
        """Put those images and every object in them into a gathering."""
        wanted = set(image_ids)
        homeless = sum(found.image_id not in self.images for found in self.objects.values())
        gathering.note("annotations in images that the file does not list, not used", homeless)
        text = "annotation ids of text, numbered from 1 in the file's order"
        gathering.note(text, len(self.numbers))
        for image_id in sorted(wanted & self.images.keys()):
            gathering.add_image(image_id, self.images[image_id])
        for ann_id, found in self.objects.items():
            if found.image_id in wanted:
                gathering.add_mask(
                    ann_id, found.image_id, found.segmentation, category=self.category(ann_id)
                )


def read_coco(path: Path) -> Coco:
    """Read and check the whole file.

    Raises:
        UserError: it is not there (exit 3), cannot be read, is not COCO's format or has an id
            twice (exit 6).
    """
    if not path.is_file():
        raise UserError(
            f"no '{path.name}' in {path.parent.absolute()}",
            fix=["name it: --instances PATH/instances.json"],
            exit_code=ExitCode.MISSING,
            slug="instances_missing",
            path=str(path.absolute()),
        )
    content, digest = read_json(path)
    numbers: dict[str, int] = {}
    with rows_of(path, "COCO's instances format"):
        if not isinstance(content, dict):
            raise WrongRowError(f"it holds a {type(content).__name__}, not a dict")
        return Coco(
            path=path,
            sha256=digest,
            images=_table(content, "images", _image),
            objects=_table(content, "annotations", lambda row: _object(row, numbers)),
            numbers=numbers,
            categories=_table(content, "categories", _category),
        )


def _table(
    content: dict[str, Any], label: str, parse: Callable[[Any], tuple[int, T]]
) -> dict[int, T]:
    found: dict[int, T] = {}
    for key, value in each(content.get(label), label, parse):
        if key in found:
            raise WrongRowError(f"id {key} of {label} stands twice")
        found[key] = value
    return found


def _image(row: Any) -> tuple[int, ImageEntry]:  # noqa: ANN401
    return field(row, "id", int), ImageEntry(file_name(row, "file_name"), *size(row))


def _object(row: Any, numbers: dict[str, int]) -> tuple[int, CocoObject]:  # noqa: ANN401
    name = field(row, "id", int, str)
    if isinstance(name, str):
        if name in numbers:
            raise WrongRowError(f"id {shown(name)} stands twice")
        ann_id = numbers[name] = len(numbers) + 1
    else:
        ann_id = name
    segmentation = field(row, "segmentation", list, dict)
    image_id, category_id = field(row, "image_id", int), field(row, "category_id", int)
    return ann_id, CocoObject(image_id, category_id, segmentation)


def _category(row: Any) -> tuple[int, str]:  # noqa: ANN401
    return field(row, "id", int), field(row, "name", str)
