"""Command ``report``: render a study again from its records; nothing is trained."""

from typing import Annotated

import typer

from remamber.cli import _options as options
from remamber.cli._options import WORKLOAD

StudyName = Annotated[
    str | None,
    typer.Argument(metavar="STUDY", help="A study; the last one that ran by default."),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Which profile's runs; the last one's by default.",
        rich_help_panel=WORKLOAD,
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="LIST",
        help="Any of md,html,csv,json.",
        show_default="all",
        rich_help_panel=WORKLOAD,
    ),
]


def report(
    study: StudyName = None,
    profile: Profile = None,
    formats: Formats = None,
    store: options.StoreDir = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    open_page: options.OpenPage = False,
    single_file: options.SingleFile = False,
    slices: options.Slices = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Render a study's report again from its records; loads no model code.

    Writes reports/STUDY.md, .html and STUDY/results.json, table.csv; runs on other data or at
    another scale than the study's first profile have STUDY-PROFILE-DATA in its place.
    """
    from remamber.cli._reporting import last_runs, show, write_report
    from remamber.cli._settings import resolve

    streams = options.streams("auto", quiet=quiet, verbose=verbose, no_color=no_color)
    settings = resolve({"store": store, "out": out}).settings
    runs, origin = last_runs(settings, study, profile)
    chosen = tuple(formats.split(",")) if formats is not None else None
    rendered = write_report(
        origin,
        runs,
        settings=settings,
        streams=streams,
        formats=chosen,
        single_file=single_file,
    )
    show({runs.study: rendered}, streams, as_json=as_json, open_page=open_page, slices=slices)
    return 0
