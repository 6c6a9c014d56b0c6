"""What may be set of a run: every key with its values and its default, fusion options included."""

import json
from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from remamber.errors import UserError
from remamber.plan.fusion_options import PLACE, default_of, expectation
from remamber.plan.protocols import PROTOCOLS
from remamber.plan.scan_shapes import SHAPES
from remamber.plan.spec import RunSpec
from remamber.registry import DATASETS, FUSIONS, MODELS, SCAN_ORDERS, TASKS, Shelf

_SHELVES: dict[str, Shelf] = {
    "task": TASKS,
    "model.name": MODELS,
    "model.fusion.name": FUSIONS,
    "model.fusion.scan_order": SCAN_ORDERS,
    "data.name": DATASETS,
}
_NAMES: dict[str, Iterable[str]] = {"kernels.case": SHAPES, "evaluate.protocols": PROTOCOLS}
_FILLED_IN = ("fingerprint", "machine", "code", "weights")
"""What a command puts into a spec itself."""
_ELSEWHERE = (PLACE, "seed")
"""Keys that are listed by variant, or have an option of their own."""
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
Row = dict[str, Any]


def key_rows() -> list[Row]:
    """One row a key that ``--set`` takes, with its default and its values."""
    return [*_of_model(RunSpec, ""), *_options()]


def _of_model(model: type[BaseModel], place: str) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        key = f"{place}{name}"
        if name in _FILLED_IN or key in _ELSEWHERE:
            continue
        inner = [part for part in _parts(field.annotation) if _is_model(part)]
        if inner:
            yield from _of_model(inner[0], f"{key}.")
        elif not _is_list_of_tables(field.annotation):
            yield _row(key, _values(key, field), _shown(field.get_default()))


def _row(key: str, values: str, default: str) -> Row:
    return {"name": key, "summary": f"{values}; default {default}"}


def _values(key: str, field: Any) -> str:  # noqa: ANN401 - pydantic's field
    if key in _SHELVES:
        return ", ".join(_SHELVES[key].names())
    if key in _NAMES:
        return ", ".join(_NAMES[key])
    choices = [str(v) for part in _parts(field.annotation) for v in get_args(part) if _closed(part)]
    if choices:
        return ", ".join(choices)
    several = any(get_origin(part) is tuple for part in _parts(field.annotation))
    return "a list of words" if several else " or ".join(_plain(field.annotation)) or "a value"


def _options() -> Iterator[Row]:
    """Of the variants that can be loaded; another package's may be broken."""
    for fusion in FUSIONS.names():
        try:
            declared = FUSIONS.options(fusion)
        except UserError:
            continue
        for name, choice in declared.items():
            values = ", ".join(choice) if isinstance(choice, tuple) else expectation(choice)
            yield _row(f"{PLACE}.{name}", f"{fusion}: {values}", _shown(default_of(choice)))


def _parts(annotation: Any) -> list[Any]:  # noqa: ANN401 - any annotation
    """A type, or the members of a union of types."""
    if get_origin(annotation) in (Union, UnionType):
        return [part for member in get_args(annotation) for part in _parts(member)]
    bare = getattr(annotation, "__origin__", None) if hasattr(annotation, "__metadata__") else None
    return _parts(bare) if bare is not None else [annotation]


def _plain(annotation: Any) -> list[str]:  # noqa: ANN401 - any annotation
    return [_WORDS[part] for part in _parts(annotation) if part in _WORDS and part is not NoneType]


def _closed(part: Any) -> bool:  # noqa: ANN401 - any annotation
    return get_origin(part) is Literal


def _is_model(part: Any) -> bool:  # noqa: ANN401 - any annotation
    return isinstance(part, type) and issubclass(part, BaseModel)


def _is_list_of_tables(annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    """A study's file has them; the command line cannot write them."""
    return any(_is_model(item) for part in _parts(annotation) for item in get_args(part))


def _shown(value: object) -> str:
    """A default as it would be written on the command line."""
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, tuple):
        return json.dumps(value) if value else "none"
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"
