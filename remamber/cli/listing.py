"""Command ``list``: what there is to name on the command line; imports no entry."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from remamber.cli import _options as options

_NARROWEST = 30
"""Columns below which wrapped text is harder to read than a long line."""

Row = dict[str, Any]
What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="studies, models, variants, scans, keys (what --set takes), datasets, metrics,"
        " protocols, runs, launchers, tasks or figures.",
    ),
]


def list_entries(
    what: What,
    store: options.StoreDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> int:
    """List the names that other commands and study files take.

    Writes nothing; reads the names without loading what they stand for.
    """
    from remamber.cli._settings import resolve
    from remamber.registry import unknown

    sources: dict[str, Callable[[], list[Row]]] = {
        "studies": _studies,
        **{name: _on_shelf(name) for name in _shelves()},
        "keys": _keys,
        "metrics": _metrics,
        "protocols": _protocols,
        "runs": lambda: _runs(resolve({"store": store}).settings.store),
    }
    if what not in sources:
        raise unknown("list", what, sources)
    streams = options.streams("none", quiet=False, verbose=0, no_color=True)
    rows = sources[what]()
    if as_json:
        streams.result(json.dumps({"schema_version": 1, what: rows}, indent=1))
    elif rows:
        streams.result(_table(rows, width=streams.width))
        if what == "variants":
            streams.say("the Twister's own parts, and every variant's options: list keys")
    else:
        streams.say(f"no {what}")
    return 0


def _shelves() -> dict[str, Any]:
    from remamber import registry

    return {
        "models": registry.MODELS,
        "variants": registry.FUSIONS,
        "scans": registry.SCAN_ORDERS,
        "datasets": registry.DATASETS,
        "launchers": registry.LAUNCHERS,
        "tasks": registry.TASKS,
        "figures": registry.FIGURES,
    }


def _on_shelf(name: str) -> Callable[[], list[Row]]:
    def rows() -> list[Row]:
        entries = _shelves()[name].entries.values()
        return [{"name": e.name, "summary": _plain(e.summary)} for e in entries]

    return rows


def _studies() -> list[Row]:
    from remamber.plan.study import find_study, load_experiment, study_names

    rows = []
    for name in study_names():
        found = load_experiment(find_study(name))
        profiles = list(found.profiles)
        summary = f"{found.title} ({found.paper})"
        rows.append({"name": name, "profiles": ", ".join(profiles), "summary": summary})
    return rows


def _keys() -> list[Row]:
    from remamber.cli._keys import key_rows

    return key_rows()


def _metrics() -> list[Row]:
    from remamber.metrics import METRICS

    arrows = {True: "higher is better", False: "lower is better"}
    return [{"name": n, "summary": arrows[m.higher_is_better]} for n, m in METRICS.items()]


def _protocols() -> list[Row]:
    from remamber.plan.protocols import PROTOCOLS

    return [{"name": p.name, "summary": f"{p.summary} ({p.source})"} for p in PROTOCOLS.values()]


def _runs(store: Path) -> list[Row]:
    from remamber.record.store import Store

    rows = []
    for record in Store(store).records():
        found = next((m for m in record.measurements if m.metric == "mIoU"), None)
        rows.append(
            {
                "name": record.run_id,
                "status": record.status,
                "mIoU": round(100 * found.value, 1) if found is not None else None,
                "finished": record.finished,
            }
        )
    return rows


def _plain(docstring: str) -> str:
    """A docstring's line without its markup."""
    return docstring.replace("``", "")


def _table(rows: list[Row], *, width: int) -> str:
    """Columns, the last one wrapped under itself where the screen is too narrow."""
    text = [["-" if value is None else str(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*text, strict=True)][:-1]
    left = sum(widths) + 2 * len(widths)
    lines = []
    for *first, last in text:
        head = "".join(f"{cell:<{size}}  " for cell, size in zip(first, widths, strict=True))
        folded = textwrap.wrap(last, max(width - left, _NARROWEST), break_on_hyphens=False)
        lines.append(head + f"\n{' ' * left}".join(folded))
    return "\n".join(line.rstrip() for line in lines)
