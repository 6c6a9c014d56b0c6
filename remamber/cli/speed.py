"""Command ``speed``: time on this machine; so far of the selective scan's kernels."""

from typing import Annotated

import typer

from remamber.cli import _options as options
from remamber.cli import _study_options as chosen
from remamber.cli._options import TRAINING, WORKLOAD

Kernels = Annotated[
    bool,
    typer.Option(
        "--kernels",
        help="Time every implementation of the selective scan (study scan_kernels).",
        rich_help_panel=WORKLOAD,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="quick: a handful of shapes; full: all, up to 1024 px.",
        show_default="quick",
        rich_help_panel=WORKLOAD,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="SHAPE",
        help="Only these shapes, such as s1_256; repeatable.",
        rich_help_panel=WORKLOAD,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="cpu or cuda.",
        show_default="cuda where there is one",
        rich_help_panel=WORKLOAD,
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Measure again what is recorded.", rich_help_panel=TRAINING),
]


def speed(
    context: typer.Context,
    kernels: Kernels = False,
    profile: Profile = None,
    only: Only = None,
    device: Device = None,
    threads: chosen.Threads = None,
    dry_run: chosen.DryRun = False,
    set_: chosen.Overrides = None,
    fresh: Fresh = False,
    fail_fast: chosen.FailFast = False,
    launcher: chosen.LauncherName = "local",
    store: options.StoreDir = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    open_page: options.OpenPage = False,
    single_file: options.SingleFile = False,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Time the selective scan's implementations on this machine, side by side.

    Writes records to runs/ and a report to reports/; the same command again goes on or reuses.
    """
    from remamber.cli._execution import Wish
    from remamber.cli._kernels import STUDY, kernel_study, time_kernels
    from remamber.cli._settings import resolve
    from remamber.errors import UserError

    if not kernels:
        raise UserError(
            "speed times the scan's kernels so far; models by resolution are not there yet",
            fix=["remamber-bench speed --kernels"],
            slug="speed_needs_kernels",
        )
    streams = options.streams(display, quiet=quiet, verbose=verbose, no_color=no_color)
    settings = resolve({"store": store, "out": out, "threads": threads}).settings
    study = kernel_study(context.params, threads=settings.threads)
    wish = Wish.of(
        {**context.params, "study": STUDY, "budget": None}, command=options.command_line(context)
    )
    return time_kernels(study, wish, settings=settings, streams=streams)
