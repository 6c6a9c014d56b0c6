"""What ``data list`` prints: all data sets in a table, or one with everything to be fetched."""

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remamber.datasets._origins import Origin
    from remamber.datasets._state import Found

_LEFT = 12
_STATES = {
    "converted": "ready (converted)",
    "published": "ready (as published)",
    "in part": "in part",
    "damaged": "damaged",
    "generated": "generated, not real",
    "none": "not there",
}


def listed(
    wanted: Iterable["Origin"],
    found: Mapping[str, "Found | None"],
    built_in: Mapping[str, str],
    shapes: Mapping[str, str],
    *,
    root: Path | None,
    width: int,
) -> list[str]:
    """A line for every data set, and what can be converted."""
    lines = [f"data root   {root if root is not None else 'none given: add --data-root DIR'}", ""]
    for name, summary in built_in.items():
        lines += _row(name, "built in", summary, width)
    for origin in wanted:
        lines += _row(origin.name, _state(origin, found[origin.name]), origin.title, width)
    lines += ["", "data convert reads"]
    for name, summary in shapes.items():
        lines += _hanging(f"  {name}", summary, width, left=14)
    return [*lines, "", "what to fetch:  remamber-bench data list --explain NAME"]


def explained(
    origin: "Origin", found: "Found | None", *, root: Path | None, width: int
) -> list[str]:
    """Everything that a newcomer needs to get one data set and to know that it is whole."""
    place = str(root) if root is not None else "DIR"
    images = origin.pictures
    lines = [origin.title, origin.paper, ""]
    lines += _hanging("fetch", f"{origin.archive} (size: {origin.size})", width)
    lines += _each("  from", origin.sources, width)
    lines += _each("  or as", origin.mirrors, width)
    lines += _hanging("and", f"{images.file} (size: {images.size}): {images.what}", width)
    lines += _each("  from", images.sources, width)
    lines += ["", f"{'into':<{_LEFT}}{place}/", *_tree(origin), ""]
    lines += _each("mind", [text for text in (origin.also, images.also) if text], width)
    lines += _each("terms", [origin.terms, images.terms], width)
    lines += ["", "then"]
    path = f"{place}/{origin.name}"
    why = "optional: opens faster" if origin.direct else "needed before it can be used"
    lines += [
        f"  remamber-bench data convert {path} --to {place} --name {origin.name}"
        f" --split-by {origin.split_by}    ({why})"
    ]
    lines.append(f"  remamber-bench data check {origin.name} --data-root {place}")
    lines.append(f"  remamber-bench ablate scans --data {origin.name} --data-root {place}")
    if found is not None:
        lines += ["", *_hanging("state", _state(origin, found), width)]
        lines += [f"{'  found':<{_LEFT}}{path}" for path in found.parts]
        lines += [f"{'  missing':<{_LEFT}}{path}" for path in found.missing]
    return [line.rstrip() for line in lines]


def _tree(origin: "Origin") -> list[str]:
    indent = " " * _LEFT
    files = [f"{indent}    {name}" for name in origin.files]
    return [f"{indent}  {origin.name}/", *files, f"{indent}  {origin.pictures.folder}/"]


def _state(origin: "Origin", found: "Found | None") -> str:
    if found is None:
        return "-"
    if found.state == "published" and not origin.direct:
        return "to be converted"
    if found.state == "converted" and found.missing:
        return "converted, no images"
    return _STATES[found.state]


def _row(name: str, state: str, summary: str, width: int) -> list[str]:
    return _hanging(f"{name:<18}{state:<22}", summary.replace("``", ""), width, left=40)


def _each(label: str, texts: Iterable[str], width: int) -> list[str]:
    lines: list[str] = []
    for text in texts:
        lines += _hanging("" if lines else label, text, width)
    return lines


def _hanging(label: str, text: str, width: int, *, left: int = _LEFT) -> list[str]:
    """A label and its text, folded under itself; an address is never broken."""
    room = max(width - left, 40)
    folded = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{label:<{left}}{folded[0]}".rstrip(), *(f"{'':<{left}}{line}" for line in folded[1:])]
