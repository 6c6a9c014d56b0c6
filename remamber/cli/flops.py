"""Command ``flops``: parameters and operations of models, by resolution."""

from typing import Annotated

import typer

from remamber.cli import _options as options
from remamber.cli._options import ADVANCED, MODEL, OUTPUT, WORKLOAD

Resolutions = Annotated[
    str,
    typer.Option(
        "--res",
        metavar="PX,PX",
        help="Sides of the square image in pixels, multiples of 32.",
        rich_help_panel=WORKLOAD,
    ),
]
Every = Annotated[
    bool,
    typer.Option(
        "--all",
        help="All models, sizes, fusions, orderings, cubes and decoders.",
        rich_help_panel=WORKLOAD,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Models (list models); as the next five, repeatable, commas, or all.",
        show_default="all",
        rich_help_panel=MODEL,
    ),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="NAME",
        help="tiny, small or base.",
        show_default="base",
        rich_help_panel=MODEL,
    ),
]
Fusions = Annotated[
    list[str] | None,
    typer.Option(
        "--fusion",
        metavar="NAME",
        help="Fusion variants (list variants).",
        show_default="twister",
        rich_help_panel=MODEL,
    ),
]
Orders = Annotated[
    list[str] | None,
    typer.Option(
        "--scan-order",
        metavar="NAME",
        help="The Twister's scan orderings (list scans).",
        show_default="channel-spatial",
        rich_help_panel=MODEL,
    ),
]
Cubes = Annotated[
    list[str] | None,
    typer.Option(
        "--cube",
        metavar="NAME",
        help="The Twister's hybrid feature cubes.",
        show_default="image-global-local",
        rich_help_panel=MODEL,
    ),
]
Decoders = Annotated[
    list[str] | None,
    typer.Option(
        "--decoder",
        metavar="NAME",
        help="conv or mamba.",
        show_default="conv",
        rich_help_panel=MODEL,
    ),
]
Text = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="NAME",
        help="Text encoder: word, clip or bert.",
        show_default="as published at size base, else word",
        rich_help_panel=MODEL,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any model key (list keys), such as model.backbone=swin; repeatable.",
        rich_help_panel=ADVANCED,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="WHAT", help="Break down: part, module or operator.", rich_help_panel=OUTPUT
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Fail if an operator's cost is not known.", rich_help_panel=OUTPUT
    ),
]
Save = Annotated[
    bool,
    typer.Option("--save", help="Keep the counts as records in the store.", rich_help_panel=OUTPUT),
]


def flops(
    context: typer.Context,
    res: Resolutions = "256,512,1024",
    every: Every = False,
    model: Models = None,
    size: Sizes = None,
    fusion: Fusions = None,
    scan_order: Orders = None,
    cube: Cubes = None,
    decoder: Decoders = None,
    text: Text = None,
    set_: Overrides = None,
    by: By = None,
    strict: Strict = False,
    save: Save = False,
    store: options.StoreDir = None,
    as_json: options.Json = False,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Count parameters, FLOPs and MACs of models by resolution, scans and attention included.

    Of one image and one expression; nothing is computed. Only --save writes, records.
    """
    from remamber.cli._flops import count_models, save_counts
    from remamber.cli._flops_models import Words, chosen_models, parse_sides
    from remamber.cli._flops_view import document, require_by, require_known, tables
    from remamber.cli._settings import resolve

    streams = options.streams(display, quiet=quiet, verbose=verbose, no_color=no_color)
    sides, shown = parse_sides(res), require_by(by)
    specs = chosen_models(Words.of(context.params))
    rows = count_models(specs, sides, streams)
    require_known(rows, streams, strict=strict)
    if save:
        folder = resolve({"store": store}).settings.store
        save_counts(specs, sides, folder, command=options.command_line(context), streams=streams)
    streams.result(document(rows, by=shown) if as_json else tables(rows, by=shown))
    return 0
