"""Command ``compare``: is B better than A, and is the difference real?"""

import json
import re
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from remamber.cli import _options as options

if TYPE_CHECKING:
    from remamber.table.paired import AccuracyDifference

_FAILING = {"worse": {"worse"}, "different": {"worse", "better"}}
_REGRESSION = re.compile(r"^([\w@-]+):(\d+(?:\.\d+)?)$")

SideName = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="A run, the folder of one, a folder of runs, or key=value[,key=value].",
    ),
]
OtherName = Annotated[str, typer.Argument(metavar="B", help="The other, named in the same way.")]
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
        help="These metrics (remamber-bench list metrics).",
        show_default="the protocol's first two",
        rich_help_panel=options.WORKLOAD,
    ),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="worse|different",
        help="Exit 1 if B is distinguishably worse than A, or different.",
        rich_help_panel=options.OUTPUT,
    ),
]
FailOnRegression = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on-regression",
        metavar="METRIC:POINTS",
        help="Exit 1 if B is distinguishably worse by more than this.",
        rich_help_panel=options.OUTPUT,
    ),
]


class _Limit(NamedTuple):
    metric: str
    points: float


def compare(
    a: SideName,
    b: OtherName,
    splits: Splits = None,
    metrics: Metrics = None,
    fail_on: FailOn = None,
    fail_on_regression: FailOnRegression = None,
    store: options.StoreDir = None,
    as_json: options.Json = False,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Compare two runs, or two sets of runs, image by image.

    Writes nothing. Exit code 1 only if asked for by --fail-on or --fail-on-regression.
    """
    from remamber.cli._settings import resolve
    from remamber.errors import ExitCode
    from remamber.record.store import Store
    from remamber.registry import unknown
    from remamber.report.paired_text import paired_json, paired_text
    from remamber.table.paired import accuracy_differences
    from remamber.table.sides import find_side, pairs

    streams = options.streams("none", quiet=False, verbose=0, no_color=no_color)
    if fail_on is not None and fail_on not in _FAILING:
        raise unknown("condition", fail_on, _FAILING)
    limits = [_limit(text) for text in fail_on_regression or ()]
    chosen = _known_metrics([*(metrics or ()), *(limit.metric for limit in limits)])
    from_store = Store(resolve({"store": store}).settings.store)
    sides = find_side(a, from_store), find_side(b, from_store)
    joined = pairs(*sides)
    found = accuracy_differences(sides, joined, splits=splits or (), metrics=chosen)
    text = paired_json if as_json else paired_text
    shown = text((a, b), joined, found)
    streams.result(shown if isinstance(shown, str) else json.dumps(shown, indent=1))
    failures = _failures(found, fail_on, limits)
    for failure in failures:
        streams.say(failure)
    return ExitCode.CHECK_FAILED if failures else ExitCode.DONE


def _limit(text: str) -> _Limit:
    from remamber.errors import UserError

    match = _REGRESSION.match(text)
    if match is None:
        raise UserError(
            f"--fail-on-regression {text}: expected METRIC:POINTS",
            fix=["--fail-on-regression mIoU:0.5"],
            slug="bad_limit",
        )
    return _Limit(match[1], float(match[2]))


def _known_metrics(names: list[str]) -> list[str]:
    from remamber.metrics import METRICS
    from remamber.registry import unknown

    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)
    return list(dict.fromkeys(names))


def _failures(
    found: "list[AccuracyDifference]", fail_on: str | None, limits: list[_Limit]
) -> list[str]:
    failing = _FAILING[fail_on] if fail_on else set()
    said = [
        f"failed: B is {d.verdict} in {d.split} {d.metric}" for d in found if d.verdict in failing
    ]
    for limit in limits:
        said += [
            f"failed: {d.split} {d.metric} is worse by {100 * abs(d.difference):.1f} points, "
            f"more than {limit.points:g}"
            for d in found
            if d.metric == limit.metric
            and d.verdict == "worse"
            and 100 * abs(d.difference) > limit.points
        ]
    return said
