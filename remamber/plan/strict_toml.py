"""TOML read against a pydantic model: an unknown key names its file, its place and its nearest."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from remamber.errors import ExitCode, UserError
from remamber.registry import unknown

Model = TypeVar("Model", bound=BaseModel)
Layer = tuple[str, Mapping[str, Any]]
"""Where a partial mapping comes from (a file, the command line), and the mapping."""

_NO_TABLE = ("dict_type", "model_type", "mapping_type")
"""What pydantic calls a plain value where a table should stand."""


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UserError: the file is missing (exit 3) or not TOML (exit 2).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"study file {path} not found",
            fix=["remamber-bench list studies"],
            exit_code=ExitCode.MISSING,
            slug="study_missing",
            path=str(path),
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not readable as TOML: {error}", slug="bad_toml", path=str(path)
        ) from error


def validate(model: type[Model], layers: Sequence[Layer], *, prefix: str = "") -> Model:
    """Merge layers, later ones over earlier ones, and validate the result.

    Args:
        model: the pydantic model to build.
        layers: partial mappings, each with its origin.
        prefix: where the mapping stands in the file, for messages.

    Raises:
        UserError: an unknown key or a value out of range, with the origin that gave it.
    """
    for origin, content in layers:
        _refuse_unknown_keys(model, content, origin=origin, place=prefix)
    merged: dict[str, Any] = {}
    for _, content in layers:
        merged = merge(merged, content)
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, layers, prefix) from error


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with ``over`` laid over ``base``, table by table."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        nested = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge(below, value) if nested else value  # type: ignore[arg-type]
    return merged


def nested(dotted: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any TOML value
    """``a.b = value`` as nested mappings."""
    for key in reversed(dotted.split(".")):
        value = {key: value}
    content: dict[str, Any] = value
    return content


def parse_override(text: str) -> dict[str, Any]:
    """``--set a.b=value`` as nested mappings; the value is read as TOML, else as a string.

    ``none``, for which TOML has no word, takes back what a study sets.

    Raises:
        UserError: there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(
            f"--set {text}: expected KEY=VALUE", fix=["--set train.batch=16"], slug="bad_override"
        )
    try:
        parsed = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = None if value == "none" else value
    return nested(key.strip(), parsed)


def _refuse_unknown_keys(
    model: type[BaseModel], content: Mapping[str, Any], *, origin: str, place: str
) -> None:
    for key, value in content.items():
        here = f"{place}{key}"
        if key not in model.model_fields:
            error = unknown("key", here, [f"{place}{name}" for name in model.model_fields])
            raise UserError(
                f"{origin}: {error.what}", where=error.where, fix=error.fix, slug="unknown_key"
            )
        for inner_place, inner, below in _tables(model, key, value):
            _refuse_unknown_keys(inner, below, origin=origin, place=f"{place}{inner_place}.")


def _tables(
    model: type[BaseModel],
    key: str,
    value: Any,  # noqa: ANN401 - any TOML value
) -> Iterator[tuple[str, type[BaseModel], Mapping[str, Any]]]:
    """The tables under a key that have a model: one, one for each name, or a list of them."""
    annotation = model.model_fields[key].annotation
    candidates = [annotation, *get_args(annotation)]
    inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    if inner is None:
        return
    if get_origin(annotation) is dict and isinstance(value, Mapping):
        below = [(f"{key}.{name}", table) for name, table in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        below = [(f"{key}[{i}]", table) for i, table in enumerate(value)]
    else:
        below = [(key, value)]
    yield from ((place, inner, table) for place, table in below if isinstance(table, Mapping))


def _explained(error: ValidationError, layers: Sequence[Layer], prefix: str) -> UserError:
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"]]
    origin = next(
        (name for name, content in reversed(layers) if _has(content, keys)), layers[-1][0]
    )
    shown = "" if isinstance(first["input"], Mapping) else f" (got {first['input']!r})"
    message = first["msg"].removeprefix("Value error, ")
    place = prefix + ".".join(keys)
    if first["type"] in _NO_TABLE:
        message = f"expected keys below it, {place}.KEY"
    fix = [f"change {place} in {origin}"] if place else []
    if first["type"] == "tuple_type" and isinstance(first["input"], str):
        message = "expected a list"
        fix = [f"--set {place}='{json.dumps(first['input'].split(','))}'"]
    return UserError(
        f"{origin}: {place or 'run'}: {message[0].lower()}{message[1:]}{shown}",
        fix=fix,
        slug="bad_value",
    )


def _has(content: Mapping[str, Any], keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True
