"""Which fields of its spec a model does not read: they change neither its name nor its hash.

A study over several models says what all of them share; what a model or a fusion variant does
not read is put back to its default, so that one model is one run. A study of such a field alone
is refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from remamber.errors import UserError

UNREAD = {"lavt": ("backbone", "scan_directions", "decoder", "fusion", "release")}
"""Of ``ModelSpec``, by the model's name; a model that is not here reads everything."""

_TWISTER = ("scan_order", "channel_scan", "spatial_scan", "cube")

FUSION_UNREAD = dict.fromkeys(("attention", "in-context", "norm-adaptation"), _TWISTER)
"""Of ``FusionSpec``, by the variant's name; one that is not here reads everything."""

_MODEL, _FUSION, _NAME = "model", "fusion", "name"


def without_unread(model: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a ``ModelSpec`` without what the model that it names does not read."""
    unread = UNREAD.get(str(model.get(_NAME)), ())
    return {key: value for key, value in model.items() if key not in unread}


def require_read_by_task(task: str, asked: Mapping[str, Any]) -> None:
    """Refuse what the command line sets for a run of another task than this one.

    Raises:
        UserError: a sample of the splits or a disturbed model is asked for, and the run is a
            training.
    """
    if task != "train":
        return
    evaluate = asked.get("evaluate", {})
    if evaluate.get("limit") is not None:
        raise UserError(
            "a training run scores whole splits: it has no evaluate.limit",
            fix=["leave evaluate.limit out", "remamber-bench evaluate RUN --limit 200"],
            slug="field_not_read",
        )
    for key in ("text", "padding", "knock_out", "count_changed"):
        if key in evaluate:
            raise UserError(
                f"a training run is scored as it is: it has no evaluate.{key}",
                fix=[
                    f"leave evaluate.{key} out",
                    f"remamber-bench evaluate RUN --set evaluate.{key}=...",
                ],
                slug="field_not_read",
            )


def without_unread_fusion(fusion: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a ``FusionSpec`` without what the variant that it names does not read."""
    unread = FUSION_UNREAD.get(str(fusion.get(_NAME)), ())
    return {key: value for key, value in fusion.items() if key not in unread}


def require_read(
    name: str,
    fusion: str,
    *,
    row: Sequence[tuple[str, Mapping[str, Any]]],
    asked: tuple[str, Mapping[str, Any]],
) -> None:
    """Refuse what a model does not read, in a study's row and on the command line.

    What a fusion variant does not read is refused in a row only: the command line speaks to all
    variants of a study.

    Args:
        name: the model's.
        fusion: the fusion variant's.
        row: what the row sets, each with its origin. A row that names the model itself may set
            anything, and so may the command line with it: the study compares models.
        asked: what the command line sets, with its origin.

    Raises:
        UserError: a key is not read, which is named with its origin.
    """
    if any(_NAME in content.get(_MODEL, {}) for _, content in row):
        return
    for origin, content in (*row, asked):
        for key in _dotted(content.get(_MODEL, {})):
            if key.partition(".")[0] in UNREAD.get(name, ()):
                raise _refused(name, key, origin=origin)
    _require_read_by_fusion(fusion, row)


def _require_read_by_fusion(name: str, row: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    parts = [(origin, content.get(_MODEL, {}).get(_FUSION, {})) for origin, content in row]
    if any(_NAME in part for _, part in parts):
        return
    for origin, part in parts:
        for key in part:
            if key in FUSION_UNREAD.get(name, ()):
                raise UserError(
                    f"the fusion variant '{name}' has no {_MODEL}.{_FUSION}.{key}",
                    where=[origin, f"nor any of  {', '.join(FUSION_UNREAD[name])}"],
                    fix=[f"--set {_MODEL}.{_FUSION}.{_NAME}=twister"],
                    slug="field_not_read",
                )


def _dotted(content: Mapping[str, Any]) -> Iterator[str]:
    for key, value in content.items():
        inner: Iterable[str] = _dotted(value) if isinstance(value, Mapping) else ()
        yield from (f"{key}.{rest}" for rest in inner)
        if not isinstance(value, Mapping):
            yield key


def _refused(name: str, key: str, *, origin: str) -> UserError:
    return UserError(
        f"the model '{name}' has no {_MODEL}.{key}",
        where=[origin, f"nor any of  {', '.join(UNREAD[name])}"],
        fix=["--set model.name=remamber", f"leave {_MODEL}.{key} out"],
        slug="field_not_read",
    )
