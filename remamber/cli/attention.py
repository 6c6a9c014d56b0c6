"""Command ``attention``: where trained models see the words, by depth (Fig. 4)."""

from typing import TYPE_CHECKING, Annotated

import typer

from remamber.cli import _look_options as looks
from remamber.cli import _options as options
from remamber.cli import _study_options as chosen
from remamber.cli._options import WORKLOAD

if TYPE_CHECKING:
    from remamber.plan.trained import TrainedRun

Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        metavar="N",
        min=1,
        help="Expressions to measure, evenly spaced over the split.",
        show_default="the whole split",
        rich_help_panel=WORKLOAD,
    ),
]
Pictures = Annotated[
    int | None,
    typer.Option(
        "--pictures",
        metavar="N",
        min=1,
        max=32,
        help="Expressions to picture, chosen by the area of their targets.",
        show_default="4",
        rich_help_panel=WORKLOAD,
    ),
]
Sentences = Annotated[
    list[int] | None,
    typer.Option(
        "--sentence",
        metavar="ID",
        help="Picture this sentence instead; repeatable.",
        rich_help_panel=WORKLOAD,
    ),
]


def attention(
    context: typer.Context,
    model: looks.Models = None,
    samples: Samples = None,
    pictures: Pictures = None,
    sentence: Sentences = None,
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
    """Show where trained models see the words: do deeper maps find the target?

    The Twister's local interaction and attention's weights, stage by stage:
    how much of each map lies inside the target, over a whole split, with
    intervals, chance and the same model before its training.
    Writes a report to reports/ with the maps of a few expressions.
    """
    from remamber.cli._look import look

    wished = {"limit": samples, "pictures": pictures, "shown": tuple(sentence or ())}
    return look(
        "attention",
        context.params,
        command=options.command_line(context),
        sets={"attention": {key: value for key, value in wished.items() if value}},
        check=_require_maps,
    )


def _require_maps(run: "TrainedRun") -> None:
    from remamber.plan.map_models import has_maps, no_maps

    if not has_maps(run.model):
        raise no_maps(" ".join(run.model.words()))
