"""Command ``masks``: predicted masks side by side, chosen by rule, or of one's own photograph."""

from pathlib import Path
from typing import Annotated

import typer

from remamber.cli import _look_options as looks
from remamber.cli import _options as options
from remamber.cli import _study_options as chosen
from remamber.cli._options import WORKLOAD

Image = Annotated[
    Path | None,
    typer.Option(
        "--image",
        metavar="FILE",
        help="A photograph of your own, with --text.",
        rich_help_panel=WORKLOAD,
    ),
]
Text = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="WORDS",
        help='What to find in it, such as "the red cup".',
        rich_help_panel=WORKLOAD,
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="NAME",
        help="best, median, worst or disagreement; repeatable.",
        show_default="all",
        rich_help_panel=WORKLOAD,
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--count",
        metavar="N",
        min=1,
        max=16,
        help="Expressions of each rule.",
        show_default="4",
        rich_help_panel=WORKLOAD,
    ),
]
Slices = Annotated[
    list[str] | None,
    typer.Option(
        "--slice",
        metavar="TEXT",
        help="Only such expressions: needs=location, 'target<200'; repeatable.",
        rich_help_panel=WORKLOAD,
    ),
]


def masks(
    context: typer.Context,
    model: looks.Models = None,
    image: Image = None,
    text: Text = None,
    rule: Rules = None,
    count: Count = None,
    slice_: Slices = None,
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
    """Show what trained models predict, beside the ground truth and each other.

    A printed rule chooses the expressions by what the models scored.
    Writes a report to reports/; with --image and --text, a picture and a
    page to reports/masks-own/.
    """
    from remamber.cli._look import look
    from remamber.cli._masks_wish import chosen_by, of_own_image

    command = options.command_line(context)
    if image is not None or text is not None:
        return of_own_image(context.params)
    return look("masks", context.params, command=command, sets=chosen_by(context.params))
