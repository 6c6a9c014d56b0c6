"""Command ``ablate``: run every row of a study under equal conditions and report on it."""

import typer

from remamber.cli import _options as options
from remamber.cli import _study_options as chosen


def ablate(
    context: typer.Context,
    study: chosen.StudyName,
    profile: chosen.Profile = None,
    data: chosen.DataName = None,
    seeds: chosen.Seeds = None,
    only: chosen.Only = None,
    budget: chosen.Budget = None,
    dry_run: chosen.DryRun = False,
    image_size: chosen.ImageSize = None,
    scan_backend: chosen.ScanBackend = None,
    set_: chosen.Overrides = None,
    steps: chosen.Steps = None,
    threads: chosen.Threads = None,
    workers: chosen.Workers = None,
    jobs: chosen.Jobs = None,
    fresh: chosen.Fresh = False,
    fail_fast: chosen.FailFast = False,
    launcher: chosen.LauncherName = "local",
    store: options.StoreDir = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    open_page: options.OpenPage = False,
    single_file: options.SingleFile = False,
    data_root: chosen.DataRoot = None,
    download: chosen.Download = None,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Run every row of a study under equal conditions and say which is best.

    Writes records to runs/ and a report to reports/; the same command again goes on or reuses.
    """
    from remamber.cli._ablation import ablation
    from remamber.cli._choices import Words, chosen_study
    from remamber.cli._execution import Wish
    from remamber.cli._settings import Settings, resolve

    streams = options.streams(display, quiet=quiet, verbose=verbose, no_color=no_color)
    given = {key: context.params[key] for key in Settings.model_fields}
    settings = resolve(given).settings
    wish = Wish.of(context.params, command=options.command_line(context))
    words = Words.of(context.params)
    found = chosen_study(study, words, root=settings.data_root, store=settings.store)
    return ablation(found, wish, settings=settings, streams=streams)
