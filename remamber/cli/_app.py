"""The program's commands in the order of a user's journey, and their help."""

from collections.abc import Callable, Sequence

import typer

from remamber.cli.ablate import ablate
from remamber.cli.doctor import doctor
from remamber.cli.listing import list_entries
from remamber.cli.report import report
from remamber.errors import ExitCode, UserError

_HELP = """Train, ablate, measure and explain Mamba-based referring segmentation.

\b
Start here:
  remamber-bench ablate scans            five scan orderings, minutes on a CPU
  remamber-bench ablate scans --dry-run  what it would do, and how long
  remamber-bench doctor                  what this machine can run
"""

_EXIT_CODES = """

\b
Exit codes:
  0 done    2 usage or configuration    3 data or another need is missing
  4 some rows failed, report written    6 damaged input
  70 internal error                     130 interrupted, resumable
"""

_EXAMPLES = {
    "ablate": """\b
Examples:
  remamber-bench ablate scans
  remamber-bench ablate scans --seeds 0,1,2 --budget 1h
  remamber-bench ablate scans --data refcoco --data-root DIR --profile quick
""",
    "report": """\b
Examples:
  remamber-bench report scans --open
  remamber-bench report scans --format md,csv --out paper/
  remamber-bench report scans --store other/runs --json
""",
    "list": """\b
Examples:
  remamber-bench list studies
  remamber-bench list scans
  remamber-bench list runs --json
""",
    "doctor": """\b
Examples:
  remamber-bench doctor
  remamber-bench doctor --data-root DIR
  remamber-bench doctor --json > bug-report.json
""",
}


_NAMES = {"ablate": "remamber-bench list studies"}
"""Where to find what a command's argument may be."""

_COMMANDS: dict[str, Callable[..., int]] = {
    "ablate": ablate,
    "report": report,
    "list": list_entries,
    "doctor": doctor,
}


def run(arguments: Sequence[str]) -> int:
    """Parse and run one command, and give its exit status.

    Raises:
        UserError: whatever the command raises; a mistake on the command line is exit code 2.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    given = list(arguments) or ["--help"]
    try:
        status = build_app()(
            args=given, prog_name="remamber-bench", standalone_mode=False, obj=given
        )
    except typer.TyperException as error:
        raise _usage(error, given) from error
    if status == ExitCode.INTERRUPTED:
        # Typer turns Ctrl-C into this status and says nothing.
        raise KeyboardInterrupt
    return status if isinstance(status, int) else ExitCode.DONE


def build_app() -> typer.Typer:
    """All commands, each with its examples and exit codes."""
    app = typer.Typer(
        help=_HELP,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 80},
    )
    for name, function in _COMMANDS.items():
        app.command(name, epilog=_EXAMPLES[name] + _EXIT_CODES)(function)
    return app


def _usage(error: typer.TyperException, arguments: Sequence[str]) -> UserError:
    command = next((a for a in arguments if a in _COMMANDS), None)
    known = " ".join(["remamber-bench", *([command] if command else []), "--help"])
    message = error.format_message().rstrip(".")
    fix = [_NAMES[command], known] if command in _NAMES and "argument" in message else [known]
    return UserError(message[:1].lower() + message[1:], fix=fix, slug="usage")
