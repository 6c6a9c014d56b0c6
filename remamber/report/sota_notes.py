"""The sentences under the comparison with published systems: metrics, their gap, what is left out.

All are made from the published numbers, their audit and the records; none is written by hand.
"""

from collections.abc import Iterator, Mapping

from remamber.report import format as fmt
from remamber.table.sota import SotaResults
from remamber.table.sota_layout import partial_rows
from remamber.table.sota_published import (
    EXPRESSIONS,
    NOT_STATED,
    VERIFIED,
    Place,
    PublishedRow,
)

_SUBJECT, _RIVAL = "remamber", "lavt"
_RELEASE = "release"
_LEAD: Place = ("RefCOCO", "val")


def beside_printed(sota: SotaResults) -> str:
    """How models that were trained here compare with their own row, by its metric and protocol."""
    printed = {row.variant: row for row in sota.published if row.protocol}
    parts = [
        f"{row.label}, reaches {fmt.percent(value)} {theirs.metric} on {' '.join(_LEAD)} by"
        f" protocol {theirs.protocol}, {fmt.points(value - theirs.values[_LEAD])} from its row as"
        " printed"
        for row in sota.own
        if row.trained and (theirs := printed.get(row.variant)) is not None
        if (scored := row.at(_LEAD, theirs.protocol)) is not None and _LEAD in theirs.values
        for value in [scored.scores[theirs.metric].value]
    ]
    return f"{'; '.join(parts)}." if parts else ""


def sota_notes(sota: SotaResults) -> tuple[str, ...]:
    """All notes that apply, most needed first."""
    found = [
        _mixed(sota),
        *_gaps(sota),
        _claim(sota),
        _either_reading(sota),
        _own_reading(sota),
        *_released(sota),
        *_partial(sota),
        _quick_looks(sota),
        *(f"{row.variant}: {row.note}." for row in sota.published if row.note),
    ]
    return tuple(note for note in found if note)


def _mixed(sota: SotaResults) -> str:
    """Which metrics the rows of the published table really hold."""
    by_metric: dict[str, list[PublishedRow]] = {}
    for row in sota.published:
        by_metric.setdefault(row.metric, []).append(row)
    if len(by_metric) < 2:
        return ""
    parts = [_kind(metric, rows) for metric, rows in by_metric.items() if metric != NOT_STATED]
    unknown = by_metric.get(NOT_STATED, [])
    if unknown:
        names = fmt.listed([_name(row) for row in unknown])
        parts.append(f"{fmt.number_word(len(unknown))} of a metric that is not known ({names})")
    paper = sota.results[0].analysis.paper
    return (
        f"{paper} of the paper puts different metrics in one column: {fmt.listed(parts)}. Here"
        " every table holds one metric and one protocol."
    )


def _kind(metric: str, rows: list[PublishedRow]) -> str:
    verified = list(dict.fromkeys(_name(r) for r in rows if r.standing == VERIFIED))
    how = f"verified for {fmt.listed(verified)}" if verified else "none verified"
    others = len(rows) - sum(r.standing == VERIFIED for r in rows)
    rest = f", {fmt.number_word(others)} by convention" if others else ""
    return f"{fmt.number_word(len(rows))} rows of {metric} ({how}{rest})"


def _gaps(sota: SotaResults) -> Iterator[str]:
    """How far mIoU and oIoU of one model are apart, where both are known."""
    for variant, metrics in sota.both.items():
        places = [p for p in EXPRESSIONS if all(p in metrics.get(m, {}) for m in ("mIoU", "oIoU"))]
        gaps = {p: metrics["mIoU"][p] - metrics["oIoU"][p] for p in places}
        if gaps:
            least, most = min(gaps.values()), max(gaps.values())
            yield (
                f"{variant}, of which both metrics are known: mIoU lies {fmt.percent(least)} to"
                f" {fmt.percent(most)} points above oIoU ({_by_place(gaps)})."
            )


def _claim(sota: SotaResults) -> str:
    """The distance that the paper's table shows, to be held against that of the metrics."""
    ours, theirs = (_published(sota, name) for name in (_SUBJECT, _RIVAL))
    if ours is None or theirs is None:
        return ""
    apart = {p: ours.values[p] - theirs.values[p] for p in ours.values if p in theirs.values}
    return (
        f"{_name(ours)} minus {_name(theirs)} as printed, {_metric(ours)} minus {_metric(theirs)}:"
        f" {fmt.points(min(apart.values()))} to {fmt.points(max(apart.values()))} points"
        f" ({_by_place(apart)})."
    )


def _either_reading(sota: SotaResults) -> str:
    """What a row without a metric would mean, read as either, against a row with both."""
    ours, theirs = (_published(sota, name) for name in (_SUBJECT, _RIVAL))
    both = sota.both.get(theirs.variant, {}) if theirs is not None else {}
    if ours is None or ours.metric != NOT_STATED or theirs is None or not both:
        return ""
    parts = []
    for metric, values in both.items():
        places = [p for p in ours.values if p in values]
        above = sum(ours.values[p] > values[p] for p in places)
        parts.append(f"in {above} of {len(places)} columns if it is {metric}")
    return (
        f"The metric of {_name(ours)}'s row is not stated: it is above {_name(theirs)}"
        f" {fmt.listed(parts)}."
    )


def _own_reading(sota: SotaResults) -> str:
    """Our values of the model whose printed metric is not known: beside no row, but said."""
    printed = _published(sota, _SUBJECT)
    if printed is None or printed.metric != NOT_STATED:
        return ""
    parts = [
        f"{row.label}: {fmt.percent(scored.scores['oIoU'].value)} oIoU and"
        f" {fmt.percent(scored.scores['mIoU'].value)} mIoU"
        for row in sota.own
        if row.variant == printed.variant and (scored := row.at(_LEAD, _RELEASE)) is not None
    ]
    if not parts:
        return ""
    return (
        f"Because of that no row of ours stands beside {_name(printed)}'s. By the release's own"
        f" protocol on {' '.join(_LEAD)}: {'; '.join(parts)}."
    )


def _released(sota: SotaResults) -> Iterator[str]:
    if any(row.released for row in sota.own):
        yield (
            "The release trained its weights on the three data sets together, whose training"
            " images are in part validation and test images of each other; rows trained on one"
            " data set had no such help."
        )


def _partial(sota: SotaResults) -> Iterator[str]:
    by_row: dict[str, list[str]] = {}
    for label, place, n in partial_rows(sota):
        part = f"{fmt.count(n)} of {' '.join(place)}'s {fmt.count(EXPRESSIONS[place])} expressions"
        by_row.setdefault(label, []).append(part)
    for label, said in by_row.items():
        yield f"{label} scored {fmt.listed(said)}: not comparable with published rows, left out."


def _quick_looks(sota: SotaResults) -> str:
    n = sota.quick_looks
    if not n:
        return ""
    verb = "evaluation" if n == 1 else "evaluations"
    return f"Left out: {fmt.number_word(n)} {verb} of a sample of a split (--limit)."


def _published(sota: SotaResults, model: str) -> PublishedRow | None:
    variant = sota.view.models.get(model)
    return next((row for row in sota.published if row.variant == variant), None)


def _name(row: PublishedRow) -> str:
    return row.variant.partition(",")[0]


def _metric(row: PublishedRow) -> str:
    return f"a metric {NOT_STATED}" if row.metric == NOT_STATED else row.metric


def _by_place(values: Mapping[Place, float]) -> str:
    """``RefCOCO val +1.7, testA +1.1``: the data set once."""
    found, before = [], ""
    for (dataset, split), value in values.items():
        place = split if dataset == before else f"{dataset} {split}"
        found.append(f"{place} {fmt.points(value)}")
        before = dataset
    return ", ".join(found)
