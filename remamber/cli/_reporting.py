"""A study's report: written, then shown as a table or a document."""

import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from remamber.cli._settings import Settings, require_writable
from remamber.cli._streams import Streams
from remamber.cli._study import find_analysis, require_profile
from remamber.errors import ExitCode, UserError
from remamber.plan.study import StudyRuns, find_study
from remamber.record.store import Store

if TYPE_CHECKING:
    from remamber.report import Rendered


def write_report(
    study: str,
    runs: StudyRuns,
    *,
    settings: Settings,
    streams: Streams,
    formats: tuple[str, ...] | None = None,
    single_file: bool = False,
) -> "Rendered":
    """Write a study's report from the records in the store; no model code is loaded.

    Args:
        study: a shipped study's name or an experiment's path.
        runs: the runs to report on.
        settings: where the store is and where reports go.
        streams: told when the report of other runs is replaced.
        formats: what to write; everything by default.
        single_file: make the HTML page independent of files beside it.

    Raises:
        UserError: unknown format, damaged counts, or the folder cannot be written.
    """
    from remamber.report import FORMATS, render_study

    require_writable(settings.out, what="the reports' folder", option="--out")
    replaced = _other_command(settings.out / (runs.report or runs.study), runs)
    if replaced:
        streams.insist(f"note: this report takes the place of that of: {replaced}")
    return render_study(
        find_analysis(study),
        runs,
        store=Store(settings.store),
        out=settings.out,
        formats=formats or FORMATS,
        single_file=single_file,
    )


def _other_command(folder: Path, runs: StudyRuns) -> str:
    """The command whose report of other runs is in a folder; empty if there is none."""
    try:
        results = json.loads((folder / "results.json").read_bytes())
        shown = {run["run_id"] for run in results["runs"]} | set(results["unrecorded_runs"])
        command = results["provenance"].get("Command", {}).get("command", "another command")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    # More rows or seeds of the same study only complete what was there.
    return "" if shown <= set(runs.run_ids) else str(command)


def show(
    rendered: "dict[str, Rendered]",
    streams: Streams,
    *,
    as_json: bool,
    open_page: bool,
    slices: bool = False,
) -> None:
    """The tables, or one document, on stdout; where the files are on stderr.

    Args:
        rendered: by study; the document of several holds each under its name.
        streams: where to write.
        as_json: the document.
        open_page: open the (first) page in a browser.
        slices: show the tables of slices too.
    """
    documents = {name: report.results for name, report in rendered.items()}
    if as_json:
        several = {"schema_version": 1, "studies": documents}
        document = several if len(documents) > 1 else next(iter(documents.values()))
        streams.result(json.dumps(document, indent=1))
    else:
        tables = [
            r.terminal(streams.color, streams.width, slices=slices) for r in rendered.values()
        ]
        streams.result("\n\n".join(tables))
    for report in rendered.values():
        for kind in ("md", "html", "csv", "json"):
            if kind in report.paths and (kind in ("md", "html") or not streams.quiet):
                streams.insist(f"{kind:<6}  {report.paths[kind].absolute()}")
    page = next(iter(rendered.values())).paths.get("html")
    if open_page and page is not None:
        webbrowser.open(page.absolute().as_uri())


def last_runs(settings: Settings, study: str | None, profile: str | None) -> tuple[StudyRuns, str]:
    """The runs of the last invocation, and the name that finds its study file.

    Args:
        settings: where the store is.
        study: a study's name or path; None for the last that ran.
        profile: None for the last that ran.

    Raises:
        UserError: unknown study or profile (exit 2), or nothing has run yet (exit 3).
    """
    stem = find_study(study).stem if study is not None else None
    if study is not None and profile is not None:
        require_profile(study, profile)
    runs = Store(settings.store).study_runs(stem, profile)
    if runs is None:
        what = f"study '{stem}'" if stem is not None else "any study"
        with_profile = f" with profile '{profile}'" if profile is not None else ""
        raise UserError(
            f"no runs of {what}{with_profile} in {settings.store}",
            fix=[f"remamber-bench ablate {stem or 'scans'}", "or name their folder with --store"],
            exit_code=ExitCode.MISSING,
            slug="no_runs",
            path=str(settings.store),
        )
    return runs, study or runs.study
