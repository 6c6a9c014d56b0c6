"""What ``flops`` prints: a table, its breakdown, and the same as a document."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from remamber.cli._flops import Row
from remamber.cli._streams import Streams
from remamber.errors import ExitCode, UserError
from remamber.plan.speed import model_key
from remamber.registry import unknown

if TYPE_CHECKING:
    from remamber.tasks._flops_counts import Counts
    from remamber.tasks._flops_operators import Cost

SCHEMA_VERSION = 1

_BY: dict[str, "Callable[[Counts], dict[str, Cost]]"] = {
    "part": lambda counts: counts.by_part(),
    "module": lambda counts: counts.by_module(),
    "operator": lambda counts: counts.by_operator(),
}
_HEAD = ("px", "params M", "text M", "GFLOPs", "text G", "scans", "GMACs", "papers")
_NOTE = """
GFLOPs  multiply-add 2, selective scan 7 BLDN + 3 BLD; text G: the text encoder's share of them,
        scans: that of the scans; softmax, activations, norms and sums count as nothing
GMACs   multiply-add 1, scan 5 BLDN + 2 BLD
papers  what papers on Mamba head GFLOPs: fvcore's MACs, norms and resampling too, and 9 BLDN + BLD
"""


def require_by(by: str | None) -> str | None:
    """The breakdown as it was given.

    Raises:
        UserError: there is none of that name.
    """
    if by is not None and by not in _BY:
        raise unknown("breakdown", by, _BY)
    return by


def require_known(rows: Sequence[Row], streams: Streams, *, strict: bool) -> None:
    """Say which operators were counted as nothing because their cost is not known.

    Raises:
        UserError: there are some, and that is not allowed (exit 1).
    """
    calls: dict[str, int] = {}
    for row in rows:
        for name, number in row.counts.unknown().items():
            calls[name] = calls.get(name, 0) + number
    lines = [f"{number} calls of {name}" for name, number in calls.items()]
    if lines and strict:
        raise UserError(
            f"the cost of {len(lines)} operators is not known",
            where=lines,
            fix=["leave --strict out to count them as nothing"],
            exit_code=ExitCode.CHECK_FAILED,
            slug="unknown_operators",
        )
    for line in lines:
        streams.insist(f"warning: counted as nothing, for its cost is not known: {line}")


def tables(rows: Sequence[Row], *, by: str | None) -> str:
    """The table of all rows, and below it each row's breakdown."""
    labels = [" ".join(row.model.words() + _rest(row)) for row in rows]
    body = [(label, *_cells(row.counts)) for label, row in zip(labels, rows, strict=True)]
    pages = [_aligned([("model", *_HEAD), *body])]
    if by is not None:
        pages += [_broken_down(label, row, by) for label, row in zip(labels, rows, strict=True)]
    return "\n\n".join(pages) + "\n" + _NOTE


def document(rows: Sequence[Row], *, by: str | None) -> str:
    """Everything counted, as JSON."""
    from remamber.tasks._flops_operators import CONVENTION

    content = {
        "schema_version": SCHEMA_VERSION,
        "convention": CONVENTION,
        "rows": [_row(row, by) for row in rows],
    }
    return json.dumps(content, indent=1)


def _rest(row: Row) -> list[str]:
    return [*([row.model.decoder] if row.model.fused else []), row.model.text.name]


def _cells(counts: "Counts") -> tuple[str, ...]:
    from remamber.tasks._flops_counts import TEXT, TOTAL

    total, text, sizes = counts.total(), counts.by_part()[TEXT], counts.parameters
    return (
        str(counts.side),
        _number(sizes[TOTAL] / 1e6),
        _number(sizes[TEXT] / 1e6),
        _number(total.flops / 1e9),
        _number(text.flops / 1e9),
        f"{100 * counts.scan().flops / total.flops:.1f} %",
        _number(total.macs / 1e9),
        _number(total.paper / 1e9),
    )


def _broken_down(label: str, row: Row, by: str) -> str:
    total = row.counts.total().flops
    costs = sorted(_BY[by](row.counts).items(), key=lambda item: -item[1].flops)
    lines = [
        (name, *(_number(n / 1e9) for n in cost[1:]), f"{100 * cost.flops / total:.1f} %")
        for name, cost in costs
    ]
    head = (f"{label}, {row.counts.side} px", "GFLOPs", "GMACs", "papers", "share")
    return _aligned([head, *lines])


def _number(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:.3g}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [f"{line[0]:<{widths[0]}}"]
            + [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in lines
    )


def _row(row: Row, by: str | None) -> dict[str, Any]:
    counts = row.counts
    found: dict[str, Any] = {
        "model": model_key(row.model),
        "spec": row.model.model_dump(mode="json"),
        "image_size": counts.side,
        "tokens": counts.tokens,
        "parameters": dict(counts.parameters),
        "total": counts.total()._asdict(),
        "parts": {part: cost._asdict() for part, cost in counts.by_part().items()},
        "scan": counts.scan()._asdict(),
        "unknown_operators": counts.unknown(),
    }
    if by is not None:
        found[f"by_{by}"] = {name: cost._asdict() for name, cost in _BY[by](counts).items()}
    return found
