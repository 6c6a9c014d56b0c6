"""A comparison of time and memory in words and columns, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from remamber.report import format as fmt
from remamber.report.columns import columns
from remamber.rounds import DELTA
from remamber.table.sides import Pair
from remamber.table.timed import JUDGED, MEMORY, TimeDifference
from remamber.table.timed_lost import Lost

_HEAD = ("metric", "A", "B", "B / A", "95 %", "p (Holm)", "B is")
_LEFT = (0, len(_HEAD) - 1)


def timed_text(
    names: tuple[str, str], differences: Sequence[TimeDifference], lost: Sequence[Lost] = ()
) -> str:
    """What was compared, a table for every pair of models, and what the numbers rest on."""
    lines = [f"A  {names[0]}", f"B  {names[1]}"]
    several = len({d.seeds for d in differences}) > 1
    places = [_place(d, several=several) for d in differences]
    for place in dict.fromkeys(places):
        own = [d for d, its in zip(differences, places, strict=True) if its == place]
        lines += ["", place, *columns([_HEAD, *map(_cells, own)], left=_LEFT)]
    missing = [f"not compared: {m.model} {m.ended} in {m.side} alone, {m.group}" for m in lost]
    return "\n".join([*lines, "", *missing, *_footing(differences)])


def timed_json(
    names: tuple[str, str],
    joined: Sequence[Pair],
    differences: Sequence[TimeDifference],
    lost: Sequence[Lost] = (),
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
        "lost": [missing._asdict() for missing in lost],
    }


def _row(difference: TimeDifference) -> dict[str, Any]:
    content = asdict(difference) | {"verdict": difference.verdict}
    content["ratio"] = difference.ratio.value
    content |= {"low": difference.ratio.low, "high": difference.ratio.high}
    content |= {"rounds": difference.ratio.rounds, "models": list(difference.models)}
    content["seeds"] = list(difference.seeds)
    del content["pair"]
    return content


def _place(d: TimeDifference, *, several: bool) -> str:
    a, b = d.models
    models = a if a == b else f"{a} -> {b}"
    seed = f", seed {d.seeds[1]}" if several else ""
    across = f" (across machines: {d.noisy})" if d.noisy else ""
    return f"{models}, {d.group}{seed}{across}"


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
    deltas = {d.delta for d in differences if d.metric in JUDGED and d.metric not in MEMORY}
    if any(d.metric not in JUDGED for d in differences):
        lines.append("latency_p90 has no interval, so no difference in it is called one")
    if any(d.metric in MEMORY for d in differences):
        lines.append(f"memory has no interval; differences up to {fmt.percent(DELTA)} % are none")
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
