"""The program's commands in the order of a user's journey, and their help."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from remamber.cli._examples import EXAMPLES, EXIT_CODES
from remamber.cli.ablate import ablate
from remamber.cli.attention import attention
from remamber.cli.claims import claims
from remamber.cli.compare import compare
from remamber.cli.data_check import data_check
from remamber.cli.data_convert import data_convert
from remamber.cli.data_list import data_list
from remamber.cli.data_synth import data_synth
from remamber.cli.doctor import doctor
from remamber.cli.evaluate import evaluate
from remamber.cli.flops import flops
from remamber.cli.listing import list_entries
from remamber.cli.masks import masks
from remamber.cli.new import new
from remamber.cli.pca import pca
from remamber.cli.power import power
from remamber.cli.report import report
from remamber.cli.speed import speed
from remamber.cli.weights import weights
from remamber.errors import ExitCode, UserError

_HELP = """Train, ablate, measure and explain Mamba-based referring segmentation.

\b
Start here:
  remamber-bench ablate scans            five scan orderings, minutes on a CPU
  remamber-bench ablate scans --dry-run  what it would do, and how long
  remamber-bench speed --res 512         what a model costs here
  remamber-bench data list               real data: what to fetch, and how
  remamber-bench doctor                  what this machine can run
"""

_GROUPS = {
    "data": """Data sets: what to fetch, whether it is whole, one fast layout for all.

Nothing is downloaded; only convert and synth write, and only where they are told to.""",
}
"""The help of those commands that have commands of their own."""

_NAMES = {"ablate": "remamber-bench list studies"}
"""Where to find what a command's argument may be."""

_EXTRA = re.compile(r"^Got unexpected extra argument\(?s?\)? \((.+)\)$")

_Commands = dict[str, Callable[..., int]]
_COMMANDS: dict[str, Callable[..., int] | _Commands] = {
    "ablate": ablate,
    "evaluate": evaluate,
    "speed": speed,
    "flops": flops,
    "pca": pca,
    "attention": attention,
    "masks": masks,
    "compare": compare,
    "power": power,
    "claims": claims,
    "report": report,
    "data": {
        "list": data_list,
        "check": data_check,
        "convert": data_convert,
        "synth": data_synth,
    },
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
    """The same for the options of the program itself, and its commands in their order."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own context
        """Typer's names, which have groups first, in the order of a user's journey."""
        order = [*_COMMANDS]
        names = super().list_commands(ctx)
        return sorted(names, key=order.index) if set(names) == set(order) else names

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
    given = list(arguments)
    if not given or given in [[name] for name in _GROUPS]:
        given.append("--help")
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
    for name, found in _COMMANDS.items():
        epilog = EXAMPLES[name] + EXIT_CODES
        if isinstance(found, dict):
            app.add_typer(_group(name, found), name=name, help=_GROUPS[name], epilog=epilog)
        else:
            app.command(name, cls=_Command, epilog=epilog)(found)
    return app


def _group(name: str, commands: _Commands) -> typer.Typer:
    group = typer.Typer(cls=_Group)
    for word, function in commands.items():
        epilog = EXAMPLES[f"{name} {word}"] + EXIT_CODES
        group.command(word, cls=_Command, epilog=epilog)(function)
    return group


def _usage(error: typer.TyperException, arguments: Sequence[str]) -> UserError:
    command = _named(arguments)
    known = " ".join(["remamber-bench", *([command] if command else []), "--help"])
    message = error.format_message().rstrip(".")
    message = _EXTRA.sub(r"unexpected argument '\1'", message)
    lost = command in _NAMES and message.startswith("Missing argument")
    fix = [_NAMES[command], known] if command is not None and lost else [known]
    return UserError(message[:1].lower() + message[1:], fix=fix, slug="usage")


def _named(arguments: Sequence[str]) -> str | None:
    """The command that was meant, of one word or two."""
    place = next((i for i, a in enumerate(arguments) if a in _COMMANDS), None)
    if place is None:
        return None
    word, following = arguments[place], arguments[place + 1 : place + 2]
    inner = _COMMANDS[word]
    return " ".join([word, *(f for f in following if isinstance(inner, dict) and f in inner)])
