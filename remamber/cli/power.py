"""Command ``power``: how many images and seeds does a claim need, and what can a split show?"""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from remamber.cli import _options as options

if TYPE_CHECKING:
    from remamber.cli._settings import Settings
    from remamber.table.power_rows import GroupPower

_MOST_NAMES = 2

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STUDY|A B]",
        help="A study, or two sides as compare takes them; the last study that ran by default.",
        show_default=False,
    ),
]
Delta = Annotated[
    float,
    typer.Option(
        "--delta",
        metavar="POINTS",
        help="The difference to be shown, in percentage points.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Power = Annotated[
    float,
    typer.Option(
        "--power",
        metavar="SHARE",
        help="How often it is to be found if it is there.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Splits = Annotated[
    list[str] | None,
    typer.Option(
        "--split", metavar="NAME", help="Only these splits.", rich_help_panel=options.WORKLOAD
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="These metrics (list metrics).",
        show_default="mIoU, oIoU",
        rich_help_panel=options.WORKLOAD,
    ),
]


def power(
    names: Names = None,
    delta: Delta = 0.5,
    at_power: Power = 0.8,
    splits: Splits = None,
    metrics: Metrics = None,
    store: options.StoreDir = None,
    as_json: options.Json = False,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Say how many images and seeds a difference needs, and what a split can detect.

    Reads the variance from the records in the store; writes nothing, trains nothing.
    """
    from remamber.cli._settings import resolve
    from remamber.report.power_text import Claim, power_json, power_text

    streams = options.streams("none", quiet=False, verbose=0, no_color=no_color)
    _require(delta, at_power, metrics or [])
    settings = resolve({"store": store}).settings
    name, groups = _groups(list(names or ()), settings, splits or [], metrics or [])
    claim = Claim(delta / 100, at_power)
    if as_json:
        streams.result(json.dumps(power_json(name, groups, claim), indent=1))
    else:
        streams.result(power_text(name, groups, claim))
    return 0


def _require(delta: float, at_power: float, metrics: list[str]) -> None:
    from remamber.errors import UserError
    from remamber.metrics import METRICS
    from remamber.registry import unknown

    if not 0 < delta <= 100:
        raise UserError(
            f"--delta {delta:g}: expected points above 0 and up to 100",
            fix=["--delta 0.5"],
            slug="bad_delta",
        )
    if not 0.05 < at_power < 1:
        raise UserError(
            f"--power {at_power:g}: expected a share between 0.05 and 1",
            fix=["--power 0.8"],
            slug="bad_power",
        )
    for name in metrics:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)


def _groups(
    names: list[str], settings: "Settings", splits: list[str], metrics: list[str]
) -> "tuple[str, list[GroupPower]]":
    from remamber.cli._reporting import last_runs
    from remamber.cli._study import find_analysis
    from remamber.errors import UserError
    from remamber.plan.question import Analysis
    from remamber.record.store import Store
    from remamber.table.power_rows import pair_power, study_power
    from remamber.table.sides import find_side, pairs

    store = Store(settings.store)
    if len(names) > _MOST_NAMES:
        raise UserError(
            f"{len(names)} names given; expected a study, or A and B",
            fix=["remamber-bench power scans", "remamber-bench power RUN RUN"],
            slug="usage",
        )
    if len(names) == _MOST_NAMES:
        sides = find_side(names[0], store), find_side(names[1], store)
        found = pair_power(sides, pairs(*sides), splits=splits, metrics=metrics)
        return f"A {names[0]}, B {names[1]}", found
    runs, origin = last_runs(settings, names[0] if names else None, None)
    analysis = find_analysis(origin)
    if not isinstance(analysis, Analysis):
        raise UserError(
            f"study '{runs.study}' measures no accuracy",
            fix=["remamber-bench power scans", "remamber-bench list studies"],
            slug="no_accuracy",
        )
    return f"study {runs.study}", study_power(analysis, runs, store, splits=splits, metrics=metrics)
