"""A comparison of time and memory in words and columns, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from remamber.report import format as fmt
from remamber.report.columns import columns
from remamber.table.sides import Pair
from remamber.table.timed import MEMORY, TimeDifference

_HEAD = ("metric", "A", "B", "B / A", "95 %", "p (Holm)", "B is")
_LEFT = (0, len(_HEAD) - 1)


def timed_text(names: tuple[str, str], differences: Sequence[TimeDifference]) -> str:
    """What was compared, a table for every pair of models, and what the numbers rest on."""
    lines = [f"A  {names[0]}", f"B  {names[1]}"]
    for place in dict.fromkeys(map(_place, differences)):
        own = [d for d in differences if _place(d) == place]
        lines += ["", place, *columns([_HEAD, *map(_cells, own)], left=_LEFT)]
    return "\n".join([*lines, "", *_footing(differences)])


def timed_json(
    names: tuple[str, str], joined: Sequence[Pair], differences: Sequence[TimeDifference]
) -> dict[str, Any]:
    """The same for machines; seconds, bytes, and B over A."""
    return {
        "schema_version": 1,
        "a": names[0],
        "b": names[1],
        "pairs": [
            {
                "keys": pair.keys,
                "differing": pair.differing,
                "runs": [[side[s].run_id for s in sorted(side)] for side in (pair.a, pair.b)],
                "times": [_row(d) for d in differences if d.pair == pair.keys],
            }
            for pair in joined
        ],
    }


def _row(difference: TimeDifference) -> dict[str, Any]:
    content = asdict(difference) | {"verdict": difference.verdict}
    content["ratio"] = difference.ratio.value
    content |= {"low": difference.ratio.low, "high": difference.ratio.high}
    content |= {"rounds": difference.ratio.rounds, "models": list(difference.models)}
    del content["pair"]
    return content


def _place(d: TimeDifference) -> str:
    a, b = d.models
    models = a if a == b else f"{a} -> {b}"
    across = f" (across machines: {d.noisy})" if d.noisy else ""
    return f"{models}, {d.group}{across}"


def _cells(d: TimeDifference) -> tuple[str, ...]:
    form = fmt.size if d.metric in MEMORY else fmt.seconds
    spread, p = "-", "-"
    if d.ratio.low is not None and d.ratio.high is not None:
        spread = fmt.times_interval(d.ratio.low, d.ratio.high)
    if d.p is not None:
        p = f"{d.p:.3f}" if d.p >= 0.001 else "<0.001"
    return (d.metric, form(d.a), form(d.b), fmt.times(d.ratio.value), spread, p, d.verdict)


def _footing(differences: Sequence[TimeDifference]) -> list[str]:
    lines = []
    if any(d.paired for d in differences):
        lines.append("paired: both were timed in the same rounds of one process")
    apart = [d for d in differences if not d.paired]
    if apart:
        lines.append(
            "not paired: timed in two processes, so that the machine may have changed between;"
            " a difference must recur when both are measured again"
        )
    deltas = {d.delta for d in differences if d.metric not in MEMORY}
    if None in deltas:
        lines.append(
            "the noise between two processes is not known here, so no difference is called one:"
            " remamber-bench doctor --self-check"
            if not any(d.noisy for d in differences)
            else "between machines there is no noise floor, so no difference is called one"
        )
    known = [delta for delta in deltas if delta is not None]
    if known:
        lines.append(f"differences up to {fmt.percent(max(known))} % count as none")
    return lines
