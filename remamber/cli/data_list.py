"""Command ``data list``: the data sets and how far each is there; what to fetch for one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remamber.cli import _options as options

if TYPE_CHECKING:
    from remamber.datasets._origins import Origin
    from remamber.datasets._state import Found

Explain = Annotated[
    str | None,
    typer.Option(
        "--explain",
        metavar="NAME",
        help="What to fetch for one data set, from where, and where it goes.",
        rich_help_panel=options.WORKLOAD,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Folder of real data (env REMAMBER_BENCH_DATA_ROOT).",
        rich_help_panel=options.WORKLOAD,
    ),
]


def data_list(
    explain: Explain = None,
    data_root: DataRoot = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> int:
    """List the data sets and how far each is there, or say what to fetch for one.

    Writes nothing and asks no network; opens no annotation file.
    """
    from remamber.cli._data_pages import explained, listed
    from remamber.cli._settings import resolve
    from remamber.datasets._origins import origins
    from remamber.datasets._sources import shapes
    from remamber.datasets._state import state_of
    from remamber.registry import DATASETS, unknown

    streams = options.streams("none", quiet=False, verbose=0, no_color=True)
    root = resolve({"data_root": data_root}).settings.data_root
    known = origins()
    if explain is not None and explain not in known:
        raise unknown("data set", explain, known)
    wanted = [known[explain]] if explain is not None else list(known.values())
    found = {o.name: state_of(o, root) if root is not None else None for o in wanted}
    if as_json:
        rows = [_document(origin, found[origin.name]) for origin in wanted]
        streams.result(json.dumps({"schema_version": 1, "datasets": rows}, indent=1))
    elif explain is not None:
        lines = explained(known[explain], found[explain], root=root, width=streams.width)
        streams.result("\n".join(lines))
    else:
        built_in = {n: e.summary for n, e in DATASETS.entries.items() if n not in known}
        lines = listed(wanted, found, built_in, shapes(), root=root, width=streams.width)
        streams.result("\n".join(lines))
    return 0


def _document(origin: "Origin", found: "Found | None") -> dict[str, Any]:
    return {
        **origin._asdict(),
        "pictures": origin.pictures._asdict(),
        "state": found.state if found is not None else None,
        "found": [str(path) for path in found.parts] if found is not None else [],
        "missing": [str(path) for path in found.missing] if found is not None else [],
    }
