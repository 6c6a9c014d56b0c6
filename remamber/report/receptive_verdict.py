"""The sentences that answer how far a model's features see, made from the data alone."""

from remamber.report import format as fmt
from remamber.table.receptive import (
    EVEN_HALF,
    HALF,
    LOGITS,
    FieldRow,
    Found,
    ReceptiveResults,
    difference,
)


def receptive_verdict(results: ReceptiveResults) -> str:
    """Radius of the mask's field, what training did to it, what lies far from the middle."""
    rows = [row for row in results.rows if row.trained] or list(results.rows)
    if not rows:
        return "No receptive field was measured."
    parts = (_reach(rows), _training(results), _far(rows))
    return " ".join(part for part in parts if part)


def _reach(rows: list[FieldRow]) -> str:
    name = _last(rows[0])
    found = sorted(((row.radius(name, HALF), row.label) for row in rows), key=lambda f: f[0].value)
    (least, narrow), (most, wide) = found[0], found[-1]
    text = f"Half of the field of the {name} lies within a radius of {_side(least)}"
    if len(found) > 1:
        text += f" ({narrow}) to {_side(most)} ({wide})"
    even = f"of a field that is even over the image it would be {fmt.percent(EVEN_HALF)} %"
    return f"{text} of the image's side; {even}."


def _training(results: ReceptiveResults) -> str:
    """In how many rows training narrowed or widened the field of the mask."""
    pairs = results.pairs
    if not pairs:
        return ""
    name = _last(pairs[0][0])
    changes = [difference(trained, initial, name, HALF) for trained, initial in pairs]
    narrower = sum(change.high < 0 for change in changes)
    wider = sum(change.low > 0 for change in changes)
    rest = len(changes) - narrower - wider
    said = [
        f"narrowed it in {fmt.number_word(narrower)}" if narrower else "",
        f"widened it in {fmt.number_word(wider)}" if wider else "",
        f"left it in {fmt.number_word(rest)} within the interval" if rest else "",
    ]
    rows = "row" if len(changes) == 1 else "rows"
    whole = f"of {fmt.number_word(len(changes))} {rows}"
    if len(changes) > 1 and max(narrower, wider) == len(changes):
        verb = "narrowed" if narrower else "widened"
        return f"Training {verb} it in all {fmt.number_word(len(changes))} rows."
    return f"Training {fmt.listed([s for s in said if s])} {whole}."


def _far(rows: list[FieldRow]) -> str:
    """How much of the stages' energy lies beyond the reach of a block's own convolutions."""
    found = [
        part
        for row in rows
        for name in row.rings
        if name != LOGITS and (part := row.part(name, "far")) is not None and part.value > 0
    ]
    if not found:
        return ""
    least, most = (f(part.value for part in found) for f in (min, max))
    return (
        "Beyond two cells around the middle, where convolutions look little and scans may, lie"
        f" {_small(least)} to {_small(most)} of a stage's field."
    )


def _last(row: FieldRow) -> str:
    return LOGITS if LOGITS in row.rings else next(reversed(list(row.rings)))


def _side(found: Found) -> str:
    ends = fmt.interval(found.low, found.high)
    return f"{fmt.percent(found.value)} % {ends}"


def _small(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"
