"""Command ``claims``: which of the paper's claims do the records confirm?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from remamber.cli import _options as options

Require = Annotated[
    bool,
    typer.Option(
        "--require",
        help="Exit 1 unless every claim is confirmed; generated data do not count.",
        rich_help_panel=options.OUTPUT,
    ),
]


def claims(
    context: typer.Context,
    require: Require = False,
    store: options.StoreDir = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
    open_page: options.OpenPage = False,
    single_file: options.SingleFile = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Check the paper's five claims against the records present.

    Writes reports/claims.md, .html and claims/results.json, table.csv; trains nothing.
    """
    from remamber.cli._reporting import show
    from remamber.cli._settings import require_writable, resolve
    from remamber.errors import ExitCode
    from remamber.record.store import Store
    from remamber.report import render_document
    from remamber.report.claims_compose import claims_json, compose_claims
    from remamber.table.all_claims import check_claims

    streams = options.streams("none", quiet=quiet, verbose=verbose, no_color=no_color)
    settings = resolve({"store": store, "out": out}).settings
    require_writable(settings.out, what="the reports' folder", option="--out")
    checked = check_claims(Store(settings.store))
    resting = {record.run_id for c in checked for record in c.records}
    document = compose_claims(
        checked,
        command=options.command_line(context),
        reports=_reports(settings.out, resting),
    )
    rendered = render_document(
        document, claims_json(checked, document), out=settings.out, single_file=single_file
    )
    show({"claims": rendered}, streams, as_json=as_json, open_page=open_page)
    lost = [c.claim.name for c in checked if not c.is_confirmed]
    if not require or not lost:
        return ExitCode.DONE
    streams.insist(f"failed: not confirmed: {', '.join(lost)}")
    return ExitCode.CHECK_FAILED


def _reports(out: Path, run_ids: set[str]) -> tuple[str, ...]:
    """The files of those reports that show any of some runs."""
    found: list[str] = []
    for results in sorted(out.glob("*/results.json")):
        try:
            shown = {run["run_id"] for run in json.loads(results.read_bytes())["runs"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue
        stem = results.parent.name
        if stem != "claims" and shown & run_ids:
            found += [f"{stem}{e}" for e in (".md", ".html") if (out / f"{stem}{e}").is_file()]
    return tuple(found)
