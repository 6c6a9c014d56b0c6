"""Options of the commands that look at trained weights: ``pca``, ``attention`` and ``masks``."""

from typing import Annotated

import typer

from remamber.cli._options import MODEL, WORKLOAD

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]...",
        help="Rows of the trained study, runs by name, their folders, or weight files.",
        show_default="the study's rows",
    ),
]
Study = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="NAME",
        help="Whose trained rows are looked at.",
        show_default="as this command's own study says",
        rich_help_panel=WORKLOAD,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="At which scale they were trained: quick or paper.",
        show_default="paper with a data root, else quick",
        rich_help_panel=WORKLOAD,
    ),
]
DataName = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Rows trained on this data set; for a weight file, what it is shown.",
        rich_help_panel=WORKLOAD,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Split whose expressions are looked at.",
        show_default="val",
        rich_help_panel=WORKLOAD,
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        metavar="N",
        min=1,
        help="Expressions, evenly spaced over the split.",
        show_default="of the study",
        rich_help_panel=WORKLOAD,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any key that the weights do not decide; repeatable.",
        rich_help_panel=MODEL,
    ),
]
