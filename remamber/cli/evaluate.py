"""Command ``evaluate``: score weights on the splits of a data set, by named protocols."""

from pathlib import Path
from typing import Annotated

import typer

from remamber.cli import _options as options
from remamber.cli import _study_options as chosen
from remamber.cli._options import OUTPUT, TRAINING, WORKLOAD

Weights = Annotated[
    str,
    typer.Argument(
        metavar="CKPT",
        help="Released checkpoint, model.safetensors, a folder with one, or a run's name.",
    ),
]
Splits = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Split to score; repeatable.",
        show_default="all but train",
        rich_help_panel=WORKLOAD,
    ),
]
Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="How to compare masks, such as lavt; repeatable (list protocols).",
        show_default="orig-bilinear-0.5",
        rich_help_panel=WORKLOAD,
    ),
]
NativeSize = Annotated[
    bool,
    typer.Option(
        "--native-size",
        help="The input size of the protocol's own project: 480, for cris 416.",
        rich_help_panel=WORKLOAD,
    ),
]
MaskRule = Annotated[
    str | None,
    typer.Option(
        "--mask-rule",
        metavar="RULE",
        help="union or eq1, where the protocol leaves it open.",
        show_default="union",
        rich_help_panel=WORKLOAD,
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        "--split-by", metavar="NAME", help="Such as umd or google.", rich_help_panel=WORKLOAD
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch",
        metavar="N",
        min=1,
        help="Expressions of one forward pass.",
        show_default="16",
        rich_help_panel=WORKLOAD,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="Only N expressions of each split: a quick look.",
        rich_help_panel=WORKLOAD,
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Score again what is recorded.", rich_help_panel=TRAINING),
]
PerExpression = Annotated[
    Path | None,
    typer.Option(
        "--per-expression",
        metavar="FILE",
        help="Also write ids and pixels of every expression: .npz, .csv or .parquet.",
        rich_help_panel=OUTPUT,
    ),
]


def evaluate(
    context: typer.Context,
    checkpoint: Weights,
    data: chosen.DataName = None,
    split: Splits = None,
    protocol: Protocols = None,
    image_size: chosen.ImageSize = None,
    native_size: NativeSize = False,
    mask_rule: MaskRule = None,
    split_by: SplitBy = None,
    batch: Batch = None,
    limit: Limit = None,
    set_: chosen.Overrides = None,
    scan_backend: chosen.ScanBackend = None,
    threads: chosen.Threads = None,
    workers: chosen.Workers = None,
    fresh: Fresh = False,
    store: options.StoreDir = None,
    per_expression: PerExpression = None,
    slices: options.Slices = False,
    as_json: options.Json = False,
    data_root: chosen.DataRoot = None,
    download: chosen.Download = None,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Score weights on the splits of a data set, by one protocol or several.

    Writes a record to runs/; the same command again goes on, or shows what is recorded.
    """
    from remamber.cli._evaluation import answer
    from remamber.cli._evaluation_plan import Question
    from remamber.cli._settings import resolve

    streams = options.streams(display, quiet=quiet, verbose=verbose, no_color=no_color)
    given = {"store": store, "data_root": data_root, "threads": threads, "download": download}
    question = Question.of(context.params, command=options.command_line(context))
    answer(question, settings=resolve(given).settings, streams=streams)
    return 0
