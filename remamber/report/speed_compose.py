"""From the results of a speed study to a document, its figures and its results file."""

import json
from typing import Any

from remamber.figures import Estimate, FigureData, Reading, Series, draw
from remamber.plan.question import FigureView
from remamber.report import format as fmt
from remamber.report.document import Document, Picture
from remamber.report.speed_notes import speed_condition, speed_notes, speed_provenance
from remamber.report.speed_verdict import speed_verdict
from remamber.report.timings import timings_document, timings_json
from remamber.table.speed import Group, SpeedResults
from remamber.table.speed_layout import speed_tables

_METRICS = {"time": "time_s", "memory": "needed_bytes"}


def compose_speed(results: SpeedResults) -> Document:
    """Write the report of a speed study, in no form yet."""
    return timings_document(
        results,
        verdict=speed_verdict(results),
        condition=speed_condition(results),
        tables=speed_tables(results),
        notes=speed_notes(results),
        picture=lambda view, number: _picture(results, view, number),
        provenance=speed_provenance(results),
    )


def speed_json(results: SpeedResults, document: Document) -> dict[str, Any]:
    """The whole report as plain data; it holds nothing of the time or place of rendering."""
    particulars = {"models": dict(results.labels), "subject": results.subject}
    return timings_json(results, document, particulars=particulars)


def _picture(results: SpeedResults, view: FigureView, number: int) -> Picture:
    accuracy = results.accuracy
    data = FigureData(
        title=view.title,
        split=accuracy.split if accuracy is not None else view.split,
        metric=view.metric,
        series=_series(results, view.metric),
        percent=fmt.percent,
    )
    figure = draw(view.kind, data)
    return Picture(
        slug=f"{number}-{view.kind}",
        title=view.title,
        alt=str(figure.layout.meta["alt"]),
        plotly=json.loads(figure.to_json()),
    )


def _series(results: SpeedResults, metric: str) -> tuple[Series, ...]:
    """One for each model, its readings by condition and size."""
    panels = _panels(results)
    return tuple(
        Series(
            index=index,
            label=label,
            readings=tuple(
                _reading(group, key, metric, panels[group.chain]) for group in results.measured
            ),
            growth=_growth(results, key, metric, panels),
            by_split=_score(results, key),
            cost=_cost(results, key, metric),
        )
        for index, (key, label) in enumerate(results.labels.items())
    )


def _score(results: SpeedResults, key: str) -> dict[str, Estimate]:
    accuracy = results.accuracy
    score = accuracy.scores.get(key) if accuracy is not None else None
    if accuracy is None or score is None:
        return {}
    return {accuracy.split: Estimate(score.value, score.low, score.high)}


def _cost(results: SpeedResults, key: str, metric: str) -> float | None:
    group = results.scored_at()
    if group is None:
        return None
    return group.time(key) if metric == "time" else group.memory(key, _METRICS[metric])


def _panels(results: SpeedResults) -> dict[tuple[str, ...], str]:
    """What tells the conditions apart, in words; nothing where there is one."""
    chains = list(results.chains)
    shared = set.intersection(*map(set, chains)) if chains else set()
    return {chain: ", ".join(w for w in chain if w not in shared) for chain in chains}


def _reading(group: Group, key: str, metric: str, panel: str) -> Reading:
    lost = group.status(key) == "oom"
    if metric == "memory":
        return Reading(group.image_size, panel, group.memory(key, "needed_bytes"), lost=lost)
    median, spread = group.time(key), group.time(key, "time_iqr_s")
    if median is None or spread is None:
        return Reading(group.image_size, panel, median, lost=lost)
    high = group.time(key, "time_p90_s") or median
    return Reading(group.image_size, panel, median, max(0.0, median - spread / 2), high, lost=lost)


def _growth(
    results: SpeedResults, key: str, metric: str, panels: dict[tuple[str, ...], str]
) -> dict[str, Estimate]:
    found = {}
    for chain, panel in panels.items():
        fit = (
            results.time_exponent(key, chain)
            if metric == "time"
            else results.memory_exponent(key, chain, _METRICS[metric])
        )
        if fit is not None:
            found[panel] = Estimate(fit.value, fit.low, fit.high)
    return found
