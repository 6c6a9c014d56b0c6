"""Command ``doctor``: what this machine can run, and one fix for everything that it cannot."""

import json
from typing import Annotated

import typer

from remamber.cli import _options as options
from remamber.cli import _study_options as chosen

SelfCheck = Annotated[
    bool,
    typer.Option(
        "--self-check",
        help="Time the scan against itself: this machine's noise.",
        rich_help_panel=options.WORKLOAD,
    ),
]


def doctor(
    self_check: SelfCheck = False,
    store: options.StoreDir = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    threads: chosen.Threads = None,
    data_root: chosen.DataRoot = None,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Say what this machine can run, with a fix for everything that it cannot.

    Writes nothing, but the noise that --self-check measures (half a minute) into the store.
    Exit code 3 if the default study cannot run.
    """
    from remamber.cli._checks import BAD, all_checks
    from remamber.cli._settings import resolve
    from remamber.errors import ExitCode

    streams = options.streams(
        "auto" if self_check else "none", quiet=False, verbose=0, no_color=no_color
    )
    given = {"store": store, "out": out, "data_root": data_root, "threads": threads}
    resolved = resolve(given)
    checks = all_checks(resolved)
    if self_check:
        from remamber.cli._noise import noise_check

        checks.append(noise_check(resolved.settings, streams))
    if as_json:
        content = {"schema_version": 1, "checks": [check._asdict() for check in checks]}
        streams.result(json.dumps(content, indent=1))
    else:
        streams.result("\n".join(check.text(width=streams.width) for check in checks))
    return ExitCode.MISSING if any(check.state == BAD for check in checks) else ExitCode.DONE
