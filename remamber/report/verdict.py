"""The verdict: one sentence that says what the lead column can and cannot decide."""

import numpy as np

from remamber.report import format as fmt
from remamber.report.alteration_words import unmoved
from remamber.table.compare import Comparison
from remamber.table.results import Results


def verdict(results: Results) -> str:
    """Who is best, by how much, and whether the difference is real."""
    lead = results.lead
    planned = len(results.selection.variants)
    if lead is None:
        nothing = f"No row was scored on {_column(results)}, so nothing can be said."
        return f"{nothing} {_absent(results)}".strip()
    if len(lead.rows) == 1:
        only = f"Only {lead.rows[0]} was scored: {_value(results, lead, 0)} {_column(results)}"
        return f"{only}; there is nothing to compare it with. {_absent(results)}".strip()
    m = results.lead_metric
    best = int(lead.best[m])
    others = [r for r in range(len(lead.rows)) if r != best]
    tied = [r for r in others if lead.is_tied(r, m)]
    if lead.difference_interval is None:
        text = (
            f"{_best(results, lead, best, planned)}; all expressions are on one image, so nothing"
            " can be said about the differences."
        )
    elif len(tied) == len(others):
        text = _all_tied(results, lead, best)
    else:
        text = _some_worse(results, lead, best, tied)
    parts = (text, unmoved(results), _over_seeds(results), _absent(results))
    return " ".join(part for part in parts if part)


def _over_seeds(results: Results) -> str:
    """What the images cannot say: how much of a difference lies between two trainings."""
    intervals = results.seed_differences()
    if not intervals and _is_one_training(results):
        return "All rows are of one training run: variation between trainings is not included."
    if not intervals and all(len(v.ok) <= 1 for v in results.selection.variants):
        return "One training run a row: variation between trainings is not included."
    if not intervals:
        return "No two rows share two seeds: variation between trainings is not included."
    open_ = [row for row, i in intervals.items() if i.low <= 0 <= i.high]
    if not open_:
        return ""
    n = min(i.n for i in intervals.values())
    return f"Over {n} seeds the difference of {fmt.listed(open_)} is not settled."


def _is_one_training(results: Results) -> bool:
    """Whether the rows are the same weights, used in different ways."""
    rows = [record.spec for variant in results.selection.variants for record in variant.ok]
    weights = {spec.weights.sha256 for spec in rows if spec.weights is not None}
    return len(weights) == 1 and any(spec.evaluate.alterations() for spec in rows)


def _some_worse(results: Results, lead: Comparison, best: int, tied: list[int]) -> str:
    m = results.lead_metric
    order = np.argsort(-lead.value[:, m], kind="stable")
    worse = [int(r) for r in order if r != best and r not in tied]
    parts = [_best(results, lead, best, len(results.selection.variants))]
    if tied:
        names = [lead.rows[r] for r in order if r in tied]
        parts.append(f"it cannot be told from {fmt.listed(names)}")
    parts.append(fmt.listed([_lower(lead, r, m, first=r == worse[0]) for r in worse]))
    return "; ".join(parts) + "."


def _all_tied(results: Results, lead: Comparison, best: int) -> str:
    m = results.lead_metric
    worst = int(np.argmin(lead.value[:, m]))
    count = fmt.number_word(len(lead.rows))
    scored = "" if len(lead.rows) == len(results.selection.variants) else " scored"
    text = (
        f"The {count} rows{scored} cannot be told apart at 5 %: {_column(results)} lies between"
        f" {fmt.percent(lead.value[worst, m])} ({lead.rows[worst]}) and"
        f" {fmt.percent(lead.value[best, m])} ({lead.rows[best]})"
    )
    least = results.detectable
    if least is None or least <= 0:
        return f"{text}."
    return (
        f"{text}, and differences below about {fmt.percent(least)} points are hard to detect here."
    )


def _best(results: Results, lead: Comparison, best: int, planned: int) -> str:
    scored = len(lead.rows)
    of = (
        f"of {planned}" if scored == planned else f"of the {scored} rows scored ({planned} planned)"
    )
    value = _value(results, lead, best)
    return f"{lead.rows[best]} has the highest {_column(results)}, {value}, {of}"


def _value(results: Results, lead: Comparison, row: int) -> str:
    m = results.lead_metric
    text = fmt.percent(lead.value[row, m])
    if lead.interval is None:
        return text
    return f"{text} {fmt.interval(lead.interval.low[row, m], lead.interval.high[row, m])}"


def _lower(lead: Comparison, row: int, metric: int, *, first: bool) -> str:
    interval = lead.difference_interval
    by = fmt.percent(-lead.difference[row, metric])
    ends = ""
    if interval is not None:
        ends = f" {fmt.interval(-interval.high[row, metric], -interval.low[row, metric])}"
    return f"{lead.rows[row]} {'is lower ' if first else ''}by {by}{ends}"


def _absent(results: Results) -> str:
    scored = results.lead.rows if results.lead is not None else ()
    said = {
        # With all planned runs recorded, an empty row is one that --only left out.
        "not-run": "has not run" if results.selection.unrecorded else "was not asked for",
        "oom": "ran out of memory",
        "failed": "failed",
        "ok": "was not scored",
    }
    parts = [
        f"{v.label} {said[v.status]}" for v in results.selection.variants if v.label not in scored
    ]
    return f"{fmt.listed(parts)}." if parts else ""


def _column(results: Results) -> str:
    return " ".join(results.analysis.table.lead)
