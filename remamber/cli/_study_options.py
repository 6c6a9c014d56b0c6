"""Options of commands that run a study."""

from pathlib import Path
from typing import Annotated

import typer

from remamber.cli._options import ADVANCED, MODEL, TRAINING, WORKLOAD

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study, all, or a path STUDY.toml.")
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Scale of the study: quick needs nothing, paper needs data and a GPU.",
        show_default="paper with a data root, else quick",
        rich_help_panel=WORKLOAD,
    ),
]
DataName = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="NAME", help="Data set (list datasets).", rich_help_panel=WORKLOAD
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option("--seeds", metavar="0,1,2", help="Seeds of every row.", rich_help_panel=WORKLOAD),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="VALUE",
        help="Only these rows, such as channel; repeatable.",
        rich_help_panel=WORKLOAD,
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="TIME",
        help="Choose one step count for all rows that fits, such as 10m.",
        rich_help_panel=WORKLOAD,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", "-n", help="Print the plan and stop.", rich_help_panel=WORKLOAD),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--image-size", metavar="PX", help="Side of the square image.", rich_help_panel=MODEL
    ),
]
ScanBackend = Annotated[
    str | None,
    typer.Option(
        "--scan-backend",
        metavar="NAME",
        help="Implementation of the selective scan.",
        show_default="auto",
        rich_help_panel=MODEL,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any key of the run, such as train.batch=16; repeatable.",
        rich_help_panel=MODEL,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps", metavar="N", help="Training steps of every row.", rich_help_panel=TRAINING
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="Compute threads a run (env REMAMBER_BENCH_THREADS).",
        show_default="all cores",
        rich_help_panel=TRAINING,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=0,
        help="Processes a run that decode images (env REMAMBER_BENCH_WORKERS).",
        show_default="by the amount of data",
        rich_help_panel=TRAINING,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="Runs at a time.",
        show_default="of the profile",
        rich_help_panel=TRAINING,
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Run again what is recorded.", rich_help_panel=TRAINING),
]
FailFast = Annotated[
    bool,
    typer.Option(
        "--fail-fast/--keep-going",
        help="Stop at the first failed row, or do the others.",
        rich_help_panel=TRAINING,
    ),
]
LauncherName = Annotated[
    str,
    typer.Option(
        "--launcher",
        metavar="NAME",
        help="local, or emit to print one command a run.",
        rich_help_panel=TRAINING,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Folder of real data (env REMAMBER_BENCH_DATA_ROOT).",
        rich_help_panel=ADVANCED,
    ),
]
Download = Annotated[
    bool | None,
    typer.Option(
        "--download",
        help="Fetch a pretrained text encoder that is not on this machine.",
        rich_help_panel=ADVANCED,
    ),
]
