"""The program's commands in the order of a user's journey, and their help."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from remamber.cli.ablate import ablate
from remamber.cli.doctor import doctor
from remamber.cli.listing import list_entries
from remamber.cli.new import new
from remamber.cli.report import report
from remamber.cli.speed import speed
from remamber.cli.weights import weights
from remamber.errors import ExitCode, UserError

_HELP = """Train, ablate, measure and explain Mamba-based referring segmentation.

\b
Start here:
  remamber-bench ablate scans            five scan orderings, minutes on a CPU
  remamber-bench ablate scans --dry-run  what it would do, and how long
  remamber-bench speed --kernels         how fast the scan is here
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
  remamber-bench ablate all --seeds 0,1,2 --budget 3h
  remamber-bench ablate scans --data refcoco --data-root DIR --profile quick
""",
    "speed": """\b
Examples:
  remamber-bench speed --kernels
  remamber-bench speed --kernels --profile full --threads 4
  remamber-bench speed --kernels --only s1_480 --only mamba
""",
    "report": """\b
Examples:
  remamber-bench report scans --open
  remamber-bench report scans --format md,csv --out paper/
  remamber-bench report scans --store other/runs --json
""",
    "weights": """\b
Examples:
  remamber-bench weights check vssm_base_0229_ckpt_epoch_237.pth
  remamber-bench weights convert best_checkpoint.pth --out best.safetensors
  remamber-bench weights check best.safetensors --json
""",
    "new": """\b
Examples:
  remamber-bench new fusion my-fusion
  remamber-bench new fusion my-fusion --to src/mypackage
  remamber-bench new fusion my-fusion --quiet
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

_EXTRA = re.compile(r"^Got unexpected extra argument\(?s?\)? \((.+)\)$")

_COMMANDS: dict[str, Callable[..., int]] = {
    "ablate": ablate,
    "speed": speed,
    "report": report,
    "weights": weights,
    "new": new,
    "list": list_entries,
    "doctor": doctor,
}


_Parameter = TypeVar("_Parameter")


class _Command(TyperCommand):
    """A command whose help does not say of a flag that it is a ``<bool>``."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's own context
        return _flags_without_type(super().get_params(ctx))


class _Group(TyperGroup):
    """The same for the options of the program itself."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's own context
        return _flags_without_type(super().get_params(ctx))


def _flags_without_type(parameters: list[_Parameter]) -> list[_Parameter]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""  # type: ignore[attr-defined]
    return parameters


def _say_version(wanted: bool) -> None:
    if wanted:
        from remamber import __version__

        typer.echo(f"remamber-bench {__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the program itself; its help stands in ``build_app``."""


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
        cls=_Group,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 80},
    )
    app.callback(help=_HELP)(_program)
    for name, function in _COMMANDS.items():
        app.command(name, cls=_Command, epilog=_EXAMPLES[name] + _EXIT_CODES)(function)
    return app


def _usage(error: typer.TyperException, arguments: Sequence[str]) -> UserError:
    command = next((a for a in arguments if a in _COMMANDS), None)
    known = " ".join(["remamber-bench", *([command] if command else []), "--help"])
    message = error.format_message().rstrip(".")
    message = _EXTRA.sub(r"unexpected argument '\1'", message)
    lost = command in _NAMES and message.startswith("Missing argument")
    fix = [_NAMES[command], known] if command is not None and lost else [known]
    return UserError(message[:1].lower() + message[1:], fix=fix, slug="usage")
