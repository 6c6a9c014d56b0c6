"""Command ``pca``: image and text features inside trained models, and their principal axes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from remamber.cli import _look_options as looks
from remamber.cli import _options as options
from remamber.cli import _study_options as chosen
from remamber.cli._options import WORKLOAD

Taps = Annotated[
    list[str] | None,
    typer.Option(
        "--taps",
        metavar="WORDS",
        help="Only taps with these words: 'stage 3', 'after channel scan'; repeatable.",
        show_default="all",
        rich_help_panel=WORKLOAD,
    ),
]
Point = Annotated[
    Literal["channel", "position"] | None,
    typer.Option(
        "--point",
        help="What a point is: a channel over positions, or a position over channels.",
        show_default="channel",
        rich_help_panel=WORKLOAD,
    ),
]
JointBasis = Annotated[
    bool,
    typer.Option(
        "--joint-basis",
        help="The same axes for all places of a stage.",
        rich_help_panel=WORKLOAD,
    ),
]


def pca(
    context: typer.Context,
    model: looks.Models = None,
    taps: Taps = None,
    point: Point = None,
    samples: looks.Samples = None,
    joint_basis: JointBasis = False,
    split: looks.Split = None,
    study: looks.Study = None,
    profile: looks.Profile = None,
    data: looks.DataName = None,
    dry_run: chosen.DryRun = False,
    image_size: chosen.ImageSize = None,
    scan_backend: chosen.ScanBackend = None,
    set_: looks.Overrides = None,
    threads: chosen.Threads = None,
    jobs: chosen.Jobs = None,
    fresh: chosen.Fresh = False,
    store: options.StoreDir = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    open_page: options.OpenPage = False,
    single_file: options.SingleFile = False,
    data_root: chosen.DataRoot = None,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Show image and text features of trained models on their principal axes.

    At the cube, after each scan, in every stage: does the text lie on a line,
    do the scans bring image and text together? In numbers with intervals,
    beside the same model before its training.
    Writes a report to reports/ with figures that can be turned.
    """
    from remamber.cli._look import look

    command = options.command_line(context)
    return look("distribution", context.params, command=command, sets=_wished(context.params))


def _wished(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the command's own options set in every run."""
    from remamber.plan.tap_names import require_known

    taps = tuple(given["taps"] or ())
    require_known(taps)
    basis = "joint" if given["joint_basis"] else None
    wished = {"taps": taps, "point": given["point"], "samples": given["samples"], "basis": basis}
    return {"distribution": {key: value for key, value in wished.items() if value}}
