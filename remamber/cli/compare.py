"""Command ``compare``: is B better than A, and is the difference real?"""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from remamber.cli import _options as options

if TYPE_CHECKING:
    from remamber.table.paired import AccuracyDifference
    from remamber.table.sides import Side
    from remamber.table.timed import TimeDifference, TimedSide

_WORSE, _BETTER = {"worse", "slower", "more"}, {"better", "faster", "less"}
_FAILING = {"worse": _WORSE, "different": _WORSE | _BETTER}
_REGRESSION = re.compile(r"^([\w@-]+):\+?(\d+(?:\.\d+)?)\s*%?$")

SideName = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="A run, its folder, a folder of runs, or key=value[,key=value]; of a run of"
        " speed also RUN@MODEL.",
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
        help="These metrics (list metrics); of times latency_p50, latency_p90, needed_mib,"
        " peak_mib, activations_mib, reserved_mib.",
        show_default="the first two",
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
        metavar="METRIC:BY",
        help="Exit 1 if B is distinguishably worse by more than this: points, of times percent.",
        rich_help_panel=options.OUTPUT,
    ),
]


CrossMachine = Annotated[
    bool,
    typer.Option(
        "--cross-machine",
        help="Compare times of different machines, and say so.",
        rich_help_panel=options.ADVANCED,
    ),
]


class _Limit(NamedTuple):
    metric: str
    by: float


class _Failing(NamedTuple):
    """Verdicts, and losses in some metrics, that end the command with 1."""

    verdicts: set[str]
    limits: list[_Limit]


class _Asked(NamedTuple):
    """What is compared in what."""

    names: tuple[str, str]
    sides: "tuple[Side, Side]"
    models: tuple[str | None, str | None]
    splits: tuple[str, ...]
    metrics: list[str]


_Shown = tuple[str | dict[str, Any], list[str]]
"""What is printed, and what failed."""


def compare(
    a: SideName,
    b: OtherName,
    splits: Splits = None,
    metrics: Metrics = None,
    fail_on: FailOn = None,
    fail_on_regression: FailOnRegression = None,
    cross_machine: CrossMachine = False,
    store: options.StoreDir = None,
    as_json: options.Json = False,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Compare two runs, or two sets of runs: accuracy image by image, times round by round.

    Writes nothing. Exit code 1 only if asked for by --fail-on or --fail-on-regression.
    """
    from remamber.cli._settings import resolve
    from remamber.errors import ExitCode
    from remamber.record.store import Store
    from remamber.registry import unknown
    from remamber.table.sides import find_side
    from remamber.table.timed import timed_sides
    from remamber.table.timed_models import without_model

    streams = options.streams("none", quiet=False, verbose=0, no_color=no_color)
    if fail_on is not None and fail_on not in _FAILING:
        raise unknown("condition", fail_on, _FAILING)
    limits = [_limit(text) for text in fail_on_regression or ()]
    chosen = list(dict.fromkeys([*(metrics or ()), *(limit.metric for limit in limits)]))
    from_store = Store(resolve({"store": store}).settings.store)
    (name_a, model_a), (name_b, model_b) = without_model(a), without_model(b)
    sides = find_side(name_a, from_store), find_side(name_b, from_store)
    failing = _Failing(_FAILING.get(fail_on or "", set()), limits)
    asked = _Asked((a, b), sides, (model_a, model_b), tuple(splits or ()), chosen)
    timed = timed_sides(asked.names, sides, asked.models)
    if timed is not None:
        shown, failures = _times(asked, timed, failing, cross=cross_machine, as_json=as_json)
    else:
        shown, failures = _accuracy(asked, failing, as_json=as_json)
    streams.result(shown if isinstance(shown, str) else json.dumps(shown, indent=1))
    for failure in failures:
        streams.say(failure)
    return ExitCode.CHECK_FAILED if failures else ExitCode.DONE


def _accuracy(asked: _Asked, failing: _Failing, *, as_json: bool) -> _Shown:
    from remamber.report.paired_text import paired_json, paired_text
    from remamber.table.paired import accuracy_differences
    from remamber.table.sides import pairs

    _require_metrics(asked.metrics)
    _require_no_model(asked)
    joined = pairs(*asked.sides)
    found = accuracy_differences(asked.sides, joined, splits=asked.splits, metrics=asked.metrics)
    text = paired_json if as_json else paired_text
    return text(asked.names, joined, found), _worse(found, failing)


def _times(
    asked: _Asked,
    timed: "tuple[TimedSide, TimedSide]",
    failing: _Failing,
    *,
    cross: bool,
    as_json: bool,
) -> _Shown:
    from remamber.report.timed_text import timed_json, timed_text
    from remamber.table.sides import pairs
    from remamber.table.timed import time_differences
    from remamber.table.timed_lost import lost_models

    _require_of_times(asked, failing)
    joined = pairs(*asked.sides)
    found = time_differences(timed, joined, metrics=asked.metrics, cross_machine=cross)
    _require_judged(found, failing)
    lost = lost_models(joined, asked.models)
    failures = [
        f"failed: {model} {ended} in {side} alone ({group})"
        for side, model, group, ended in lost
        if ("slower" if side == "B" else "faster") in failing.verdicts
        or (side == "B" and failing.limits)
    ]
    failures += _slower(found, failing)
    if as_json:
        return timed_json(asked.names, joined, found, lost), failures
    return timed_text(asked.names, found, lost), failures


def _require_no_model(asked: _Asked) -> None:
    from remamber.errors import UserError

    for name, model in zip(asked.names, asked.models, strict=True):
        if model is not None:
            raise UserError(
                f"'{name}' names a model, but the run holds no times of models",
                fix=[name.removesuffix(f"@{model}")],
                slug="no_times",
            )


def _require_of_times(asked: _Asked, failing: _Failing) -> None:
    """Refuse what could never be true of times."""
    from remamber.errors import UserError
    from remamber.table.timed import JUDGED, TIMES

    if asked.splits:
        raise UserError(
            "times have no splits: --split is of accuracy",
            fix=["leave --split out"],
            slug="options_exclude",
        )
    for metric, by in failing.limits:
        if metric in TIMES and metric not in JUDGED:
            raise UserError(
                f"--fail-on-regression {metric}: it has no interval, so it could never fail",
                fix=[f"--fail-on-regression latency_p50:{by:g}%"],
                slug="bad_limit",
            )


def _require_judged(found: "Sequence[TimeDifference]", failing: _Failing) -> None:
    """Refuse to pass what cannot be judged: a check that never fails checks nothing."""
    from remamber.errors import ExitCode, UserError
    from remamber.table.timed import JUDGED, MEMORY

    judged = set(JUDGED) if failing.verdicts else {limit.metric for limit in failing.limits}
    times = [d for d in found if d.metric in judged and d.metric not in MEMORY]
    if not any(failing) or all(d.delta is not None for d in times):
        return
    across = any(d.noisy for d in times)
    raise UserError(
        "whether B is slower cannot be said: how far equal times lie apart is not known"
        f" {'between machines' if across else 'here'}",
        fix=["leave --fail-on out" if across else "remamber-bench doctor --self-check"],
        exit_code=ExitCode.MISSING,
        slug="noise_unknown",
    )


def _limit(text: str) -> _Limit:
    from remamber.errors import UserError

    match = _REGRESSION.match(text)
    if match is None:
        raise UserError(
            f"--fail-on-regression {text}: expected METRIC:BY",
            fix=["--fail-on-regression mIoU:0.5", "--fail-on-regression latency_p50:3%"],
            slug="bad_limit",
        )
    return _Limit(match[1], float(match[2]))


def _require_metrics(names: Sequence[str]) -> None:
    from remamber.metrics import METRICS
    from remamber.registry import unknown

    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)


def _worse(found: "Sequence[AccuracyDifference]", failing: _Failing) -> list[str]:
    said = [
        f"failed: B is {d.verdict} in {d.split} {d.metric}"
        for d in found
        if d.verdict in failing.verdicts
    ]
    for limit in failing.limits:
        said += [
            f"failed: {d.split} {d.metric} is worse by {100 * abs(d.difference):.1f} points, "
            f"more than {limit.by:g}"
            for d in found
            if d.metric == limit.metric
            and d.verdict == "worse"
            and 100 * abs(d.difference) > limit.by
        ]
    return said


def _slower(found: "Sequence[TimeDifference]", failing: _Failing) -> list[str]:
    said = [
        f"failed: B is {d.verdict} in {d.metric} ({d.models[1]}, {d.group})"
        for d in found
        if d.verdict in failing.verdicts
    ]
    for limit in failing.limits:
        said += [
            f"failed: {d.metric} of {d.models[1]} is {100 * (d.ratio.value - 1):.1f} % more, "
            f"more than {limit.by:g} % ({d.group})"
            for d in found
            if d.metric == limit.metric
            and d.verdict in _WORSE
            and 100 * (d.ratio.value - 1) > limit.by
        ]
    return said
