"""A paired comparison in words and columns, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from remamber.report import format as fmt
from remamber.report.columns import columns
from remamber.table.paired import AccuracyDifference
from remamber.table.sides import Keys, Pair

_HEAD = ("split", "metric", "A", "B", "B − A", "95 %", "p (Holm)", "B is")
_SHOWN = 8


def paired_text(
    names: tuple[str, str], joined: Sequence[Pair], differences: Sequence[AccuracyDifference]
) -> str:
    """What was compared, a table a pair, and what the numbers rest on."""
    lines = [f"A  {names[0]}", f"B  {names[1]}"]
    for pair in joined:
        own = [d for d in differences if d.pair == pair.keys]
        if own:
            lines += ["", *_differing(pair), "", *_table(own)]
    return "\n".join([*lines, "", _footing(differences)])


def paired_json(
    names: tuple[str, str], joined: Sequence[Pair], differences: Sequence[AccuracyDifference]
) -> dict[str, Any]:
    """The same for machines; every value a fraction."""
    return {
        "schema_version": 1,
        "a": names[0],
        "b": names[1],
        "pairs": [
            {
                "keys": pair.keys,
                "differing": pair.differing,
                "runs": [[side[s].run_id for s in sorted(side)] for side in (pair.a, pair.b)],
                "accuracy": [_row(d) for d in differences if d.pair == pair.keys],
            }
            for pair in joined
        ],
    }


def _row(difference: AccuracyDifference) -> dict[str, Any]:
    content = asdict(difference) | {"verdict": difference.verdict}
    content["seeds"] = difference.seeds._asdict() if difference.seeds else None
    del content["pair"]
    return content


def _differing(pair: Pair) -> list[str]:
    told_apart = ", ".join(f"{k} = {_value(v)}" for k, v in pair.keys.items())
    lines = [told_apart] if told_apart else []
    found = pair.differing
    if not found:
        return [*lines, "the same spec on both sides"]
    shown = [f"{k}: {_value(a)} -> {_value(b)}" for k, (a, b) in list(found.items())[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more keys"] if len(found) > _SHOWN else []
    return [*lines, *shown, *more]


def _value(value: Keys | str | None) -> str:
    return "default" if value is None else str(value)


def _table(differences: Sequence[AccuracyDifference]) -> list[str]:
    left = (0, 1, len(_HEAD) - 1)
    return columns([_HEAD, *(_cells(d) for d in differences)], left=left)


def _cells(d: AccuracyDifference) -> tuple[str, ...]:
    return (
        d.split,
        d.metric,
        fmt.percent(d.a),
        fmt.percent(d.b),
        fmt.points(d.difference),
        f"[{fmt.points(d.low)}, {fmt.points(d.high)}]",
        f"{d.p:.3f}" if d.p >= 0.001 else "<0.001",
        d.verdict,
    )


def _footing(differences: Sequence[AccuracyDifference]) -> str:
    images = {d.split: f"{d.split} {d.expressions:,} on {d.images:,}" for d in differences}
    protocols = ", ".join(dict.fromkeys(d.protocol for d in differences))
    seeds = {d.seeds.n if d.seeds else 1 for d in differences}
    lines = [
        f"protocol {protocols}; expressions on images: {', '.join(images.values())}",
        "intervals and p over images, paired t; p adjusted over everything shown (Holm)",
    ]
    if seeds == {1}:
        lines.append("1 seed: how much training itself varies is not known")
    else:
        lines += [
            f"over {d.seeds.n} seeds, {d.split} {d.metric}: {fmt.points(d.seeds.mean)} "
            f"[{fmt.points(d.seeds.low)}, {fmt.points(d.seeds.high)}] (paired t)"
            for d in differences
            if d.seeds
        ]
    return "\n".join(lines)
