"""Options that commands share, and the panels of their help."""

import shlex
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from remamber.cli._streams import DisplayKind, Streams, open_streams

WORKLOAD, MODEL, TRAINING, OUTPUT, ADVANCED = "Workload", "Model", "Training", "Output", "Advanced"

StoreDir = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Folder of run records (env REMAMBER_BENCH_STORE).",
        show_default="runs",
        rich_help_panel=OUTPUT,
    ),
]
OutDir = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder of reports (env REMAMBER_BENCH_OUT).",
        show_default="reports",
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document, errors too.", rich_help_panel=OUTPUT),
]
OpenPage = Annotated[
    bool, typer.Option("--open", help="Open the HTML report.", rich_help_panel=OUTPUT)
]
SingleFile = Annotated[
    bool,
    typer.Option(
        "--single-file", help="HTML with plotly.js inside (5 MB).", rich_help_panel=OUTPUT
    ),
]
Slices = Annotated[
    bool,
    typer.Option(
        "--slices",
        help="Show slices too: by length, needs, target's size.",
        rich_help_panel=OUTPUT,
    ),
]
Display = Annotated[
    str,
    typer.Option(
        "--display",
        metavar="KIND",
        help="Progress: auto, rich, plain or none.",
        rich_help_panel=ADVANCED,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Only errors and the report's path.", rich_help_panel=ADVANCED
    ),
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        metavar="",
        show_default=False,
        help="Say more; -vv says all.",
        rich_help_panel=ADVANCED,
    ),
]
NoColor = Annotated[
    bool,
    typer.Option("--no-color", help="No colour (also NO_COLOR=1).", rich_help_panel=ADVANCED),
]
Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show tracebacks of errors.", rich_help_panel=ADVANCED),
]


def streams(display: str, *, quiet: bool, verbose: int, no_color: bool) -> Streams:
    """The streams that a command's options ask for.

    Raises:
        UserError: an unknown kind of display.
    """
    known = get_args(DisplayKind)
    if display not in known:
        from remamber.registry import unknown

        raise unknown("display", display, known)
    verbosity = -1 if quiet else verbose
    return open_streams(cast(DisplayKind, display), verbosity=verbosity, no_color=no_color)


def command_line(context: typer.Context) -> str:
    """What the user typed, for records and reports."""
    return shlex.join(["remamber-bench", *(context.obj or [])])
