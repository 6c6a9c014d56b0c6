"""The refs of a REFER data set joined with their annotations, checked once when it is opened."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import Annotations, ImageEntry
from remamber.datasets._damaged import FETCH_AGAIN, damaged
from remamber.datasets._refer_files import ReferContent, ReferFiles
from remamber.datasets._segmentation import drawable
from remamber.datasets._shown import shown
from remamber.errors import UserError

_LOG = logging.getLogger(__name__)
_SAME_RELEASE = "take instances.json and the refs file from the same release of the data set"
_SPLIT_ORDER = ("train", "val", "test", "testA", "testB", "testC")

T = TypeVar("T")


class _Annotation(NamedTuple):
    ann_id: int
    image_id: int
    category_id: int
    segmentation: Any


class _Instances(NamedTuple):
    images: dict[int, ImageEntry]
    annotations: dict[int, _Annotation]
    categories: dict[int, str]


class _WrongStructureError(ValueError):
    """Says which row of a file is not what a REFER file has there."""


def build_index(content: ReferContent, files: ReferFiles) -> Annotations:
    """Join and check the two files.

    Raises:
        UserError: a file has not the structure of a REFER file, an id stands twice, or refs
            point to annotations or images that are not there (exit 6).
    """
    try:
        instances = _instances(content.instances)
    except _WrongStructureError as error:
        what = f"'{files.instances.name}' is not COCO's instances format: {error}"
        raise damaged(what, files.instances) from error
    try:
        refs = _refs(content.refs, instances)
    except _WrongStructureError as error:
        what = f"'{files.refs.name}' is not a REFER refs file: {error}"
        raise damaged(what, files.refs) from error
    _check_joined(refs, instances, files)
    return _joined(refs, instances)


def _instances(content: Any) -> _Instances:  # noqa: ANN401
    if not isinstance(content, dict):
        raise _WrongStructureError(f"it holds a {type(content).__name__}, not a dict")

    def table(name: str, parse: Callable[[Any], tuple[int, T]]) -> dict[int, T]:
        rows = list(_each(content.get(name), name, parse))
        _refuse_twice(name, [key for key, _ in rows])
        return dict(rows)

    return _Instances(
        images=table("images", _image),
        annotations=table("annotations", _annotation),
        categories=table("categories", lambda r: (_field(r, "id", int), _field(r, "name", str))),
    )


def _image(row: Any) -> tuple[int, ImageEntry]:  # noqa: ANN401
    name = PurePosixPath(_field(row, "file_name", str))
    if name.is_absolute() or ".." in name.parts:
        raise _WrongStructureError(f"'file_name' leaves the image folder: {str(name)!r}")
    entry = ImageEntry(str(name), _field(row, "height", int), _field(row, "width", int))
    return _field(row, "id", int), entry


def _annotation(row: Any) -> tuple[int, _Annotation]:  # noqa: ANN401
    ann_id = _field(row, "id", int)
    segmentation = _field(row, "segmentation", list, dict)
    image_id, category_id = _field(row, "image_id", int), _field(row, "category_id", int)
    return ann_id, _Annotation(ann_id, image_id, category_id, segmentation)


def _refs(content: Any, instances: _Instances) -> list[Referent]:  # noqa: ANN401
    def parse(row: Any) -> Referent:  # noqa: ANN401
        ann_id = _field(row, "ann_id", int)
        annotation = instances.annotations.get(ann_id)
        category = instances.categories.get(annotation.category_id, "") if annotation else ""
        return Referent(
            ref_id=_field(row, "ref_id", int),
            image_id=_field(row, "image_id", int),
            ann_ids=(ann_id,),
            category=category,
            split=_field(row, "split", str),
            expressions=tuple(_each(_field(row, "sentences", list), "sentences", _expression)),
        )

    refs = list(_each(content, "refs", parse))
    _refuse_twice("refs", [ref.ref_id for ref in refs])
    return sorted(refs, key=lambda ref: ref.ref_id)


def _expression(row: Any) -> Expression:  # noqa: ANN401
    sent = row.get("sent") if isinstance(row, dict) else None
    text = sent if isinstance(sent, str) and sent.strip() else _field(row, "raw", str).lower()
    needs = _field(row, "needs", list, tuple) if "needs" in row else ()
    return Expression(_field(row, "sent_id", int), text.strip(), tuple(str(n) for n in needs))


def _check_joined(refs: list[Referent], instances: _Instances, files: ReferFiles) -> None:
    checks: dict[str, Callable[[Referent], bool]] = {
        "point to annotations that are not there": (
            lambda ref: ref.ann_ids[0] not in instances.annotations
        ),
        "point to images that are not there": lambda ref: ref.image_id not in instances.images,
        "stand in another image than their annotation": (
            lambda ref: _of(ref, instances).image_id != ref.image_id
        ),
        "are of a category that is not there": lambda ref: not ref.category,
        "have polygons of fewer than three points only": (
            lambda ref: _undrawable(_of(ref, instances).segmentation)
        ),
        "have no sentence": lambda ref: not ref.expressions,
    }
    for problem, is_wrong in checks.items():
        wrong = [ref.ref_id for ref in refs if is_wrong(ref)]
        if wrong:
            raise _mismatch(problem, wrong, len(refs), files)


def _of(ref: Referent, instances: _Instances) -> _Annotation:
    return instances.annotations[ref.ann_ids[0]]


def _undrawable(segmentation: Any) -> bool:  # noqa: ANN401
    return isinstance(segmentation, list) and not drawable(segmentation)


def _mismatch(problem: str, wrong: list[int], total: int, files: ReferFiles) -> UserError:
    first = ", ".join(str(ref_id) for ref_id in wrong[:5])
    return damaged(
        f"{len(wrong):,} of {total:,} refs in '{files.refs.name}' {problem}",
        files.refs,
        where=[
            f"with  {files.instances.absolute()}",
            f"refs  {first}{', ...' if len(wrong) > 5 else ''}",
        ],
        fix=[_SAME_RELEASE, FETCH_AGAIN],
    )


def _joined(refs: list[Referent], instances: _Instances) -> Annotations:
    used = {ref.image_id for ref in refs}
    kept = {a.ann_id: a for a in instances.annotations.values() if a.image_id in used}
    objects: dict[int, list[int]] = {}
    for annotation in kept.values():
        objects.setdefault(annotation.image_id, []).append(annotation.ann_id)
    _warn_of_thin(kept)
    _warn_of_homeless(instances)
    by_split: dict[str, list[Referent]] = {}
    for ref in refs:
        by_split.setdefault(ref.split, []).append(ref)
    return Annotations(
        images={image_id: instances.images[image_id] for image_id in used},
        segmentations={ann_id: a.segmentation for ann_id, a in kept.items()},
        objects={image_id: tuple(ann_ids) for image_id, ann_ids in objects.items()},
        splits={name: tuple(by_split[name]) for name in sorted(by_split, key=_split_rank)},
    )


def _split_rank(name: str) -> tuple[int, str]:
    known = name in _SPLIT_ORDER
    return (_SPLIT_ORDER.index(name) if known else len(_SPLIT_ORDER), name)


def _warn_of_thin(annotations: dict[int, _Annotation]) -> None:
    lists = [a.segmentation for a in annotations.values() if isinstance(a.segmentation, list)]
    thin = sum(len(polygons) - len(drawable(polygons)) for polygons in lists)
    if thin:
        _LOG.warning("%d polygons of fewer than three points enclose nothing: not drawn", thin)


def _warn_of_homeless(instances: _Instances) -> None:
    homeless = sum(a.image_id not in instances.images for a in instances.annotations.values())
    if homeless:
        _LOG.warning("%d annotations are in images that the file does not list: unused", homeless)


def _each(rows: Any, label: str, parse: Callable[[Any], T]) -> Iterator[T]:  # noqa: ANN401
    if not isinstance(rows, list):
        found = "nothing" if rows is None else f"a {type(rows).__name__}"
        raise _WrongStructureError(f"{found} where the list of {label} should be")
    for number, row in enumerate(rows):
        try:
            yield parse(row)
        except _WrongStructureError as error:
            raise _WrongStructureError(f"{label}[{number}]: {error}") from None


def _field(row: Any, key: str, *kinds: type[T]) -> T:  # noqa: ANN401
    if not isinstance(row, dict):
        raise _WrongStructureError(f"a {type(row).__name__} where a dict should be")
    if key not in row:
        raise _WrongStructureError(f"no '{key}'")
    value: T = row[key]
    if not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise _WrongStructureError(f"'{key}' is {shown(value)}, expected {expected}")
    return value


def _refuse_twice(label: str, ids: list[int]) -> None:
    twice = [key for key, count in Counter(ids).items() if count > 1]
    if twice:
        first = ", ".join(str(key) for key in twice[:5])
        raise _WrongStructureError(f"{len(twice):,} ids of {label} stand twice, such as {first}")
