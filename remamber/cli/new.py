"""Command ``new``: a documented skeleton for an entry of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from remamber.cli import _options as options

_KINDS = ("fusion",)

What = Annotated[str, typer.Argument(metavar="WHAT", help="fusion.")]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name in studies, such as my-fusion.")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="DIR",
        help="Folder of the new file.",
        show_default="remamber/fusions in a checkout, else here",
        rich_help_panel=options.OUTPUT,
    ),
]


def new(
    what: What,
    name: Name,
    to: Folder = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a skeleton that works: a fusion variant that passes the contract tests.

    Writes one file and overwrites none.
    """
    from remamber.cli._skeleton import SHELF, next_steps, write_skeleton
    from remamber.registry import unknown

    streams = options.streams("none", quiet=quiet, verbose=0, no_color=True)
    if what not in _KINDS:
        raise unknown("kind of entry", what, _KINDS)
    in_checkout = (SHELF / "__init__.py").is_file()
    folder = to or (SHELF if in_checkout else Path())
    path = write_skeleton(name, folder)
    streams.result(str(path))
    if not quiet:
        on_shelf = in_checkout and folder.resolve() == SHELF.resolve()
        for line in next_steps(name, path, on_shelf=on_shelf):
            streams.say(line)
    return 0
