"""Command ``speed``: time and memory of models, or of the selective scan's kernels, here."""

import typer

from remamber.cli import _options as options
from remamber.cli import _speed_options as of
from remamber.cli import _study_options as chosen


def speed(
    context: typer.Context,
    res: of.Res = None,
    sweep: of.Sweep = None,
    model: of.Model = None,
    against: of.Against = None,
    kernels: of.Kernels = False,
    dry_run: of.DryRun = False,
    size: of.SizeName = None,
    fusion: of.Fusion = None,
    scan_order: of.ScanOrder = None,
    decoder: of.Decoder = None,
    scan_backend: chosen.ScanBackend = None,
    set_: chosen.Overrides = None,
    mode: of.Mode = None,
    scope: of.Scope = None,
    batch: of.Batch = None,
    find_batch: of.FindBatch = None,
    device: of.Device = None,
    dtype: of.Dtype = None,
    channels_last: of.ChannelsLast = None,
    compile_: of.Compile = None,
    cuda_graph: of.CudaGraph = None,
    memory: of.Memory = None,
    skip_oom: of.SkipOom = True,
    allow_shared: of.AllowShared = None,
    threads: chosen.Threads = None,
    fresh: of.Fresh = False,
    fail_fast: chosen.FailFast = False,
    launcher: chosen.LauncherName = "local",
    study: of.StudyName = None,
    profile: of.Profile = None,
    only: of.Only = None,
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
    """Time models, or the scan's kernels; writes records to runs/ and a report to reports/."""
    from remamber.cli._speed_command import run_speed

    return run_speed(context.params, options.command_line(context))
