"""The verdict of a distribution report: is the text on a line, do the scans mix it in."""

from remamber.report import format as fmt
from remamber.table.distribution import DistributionResults, Look, Told, Variant
from remamber.table.distribution_layout import (
    GAP,
    LINE,
    NEIGHBOURS,
    PROBE,
    mean_at,
    mean_change,
)

ON_A_LINE = 0.99
"""Share of the variance on one axis from which points are said to lie on a line."""


def distribution_verdict(results: DistributionResults) -> str:
    """What can be said of every model that was looked at, the first at more length."""
    variants = [variant for variant in results.variants if variant.looks]
    if not variants:
        return "No run has left features, so nothing can be said."
    said = [_of_one(variant, whole=number == 0) for number, variant in enumerate(variants)]
    return " ".join(said)


def _of_one(variant: Variant, *, whole: bool) -> str:
    name, look = variant.looks[0]
    subject = variant.label if name == "trained" else f"{variant.label}, untrained"
    if not look.taps:
        return f"{subject} has none of the taps that were asked for: nothing was looked at."
    wish = look.record.spec.distribution
    of_channels = wish is None or wish.point == "channel"
    heading = NEIGHBOURS if of_channels else GAP
    if whole and of_channels:
        said = [_line(look), _mixing(variant, look)]
    elif whole:
        said = [_plane(look), _changes(variant, look, heading)]
    else:
        said = [_changes(variant, look, heading)]
    known = [part for part in said if part]
    if not known:
        return f"{subject}: image and text are nowhere two groups of such points."
    return f"{subject}: {'. '.join(known)}."


def _line(look: Look) -> str:
    """``in the cube the text lies on a line (100.0 % ...), after the channel scan ...``."""
    found = [(p, n) for p in look.places if p != "output" and (n := mean_at(look, LINE, p))]
    if not found:
        return ""
    parts: list[str] = []
    for place, number in found:
        on = (number.value if number.low is None else number.low) >= ON_A_LINE
        words = "lies on a line" if on else "does not lie on a line"
        subject = "it" if parts else "the text"
        share = "" if parts else " of its variance is on one axis"
        parts.append(f"{_at(place)} {subject} {words} ({_percent(number)}{share})")
    return fmt.listed(parts)


def _plane(look: Look) -> str:
    """How well a hyperplane tells the groups apart, place by place."""
    found = [(p, n) for p in look.places if p != "output" and (n := mean_at(look, PROBE, p))]
    if not found:
        return ""
    parts = [f"{_percent(number)} of the points {_at(place)}" for place, number in found]
    return f"a hyperplane tells image from text in {fmt.listed(parts)}"


def _mixing(variant: Variant, look: Look) -> str:
    """What every later place of a layer does to how image and text keep apart."""
    found = [(p, n) for p in look.places if p != "output" and (n := mean_at(look, NEIGHBOURS, p))]
    if not found:
        return ""
    place, start = found[0]
    parts = [f"{_percent(start)} of nearest neighbours are of a point's own group {_at(place)}"]
    for later, _ in found[1:]:
        moved = mean_change(look, NEIGHBOURS, later)
        if moved is not None:
            parts.append(f"{_at(later)} {_moved(moved)}{_beside(variant, look, later, NEIGHBOURS)}")
    return "; ".join(parts)


def _changes(variant: Variant, look: Look, heading: str) -> str:
    """The same in few words, by neighbours or by centroids."""
    found = [(p, n) for p in look.places if p != "output" and (n := mean_at(look, heading, p))]
    if not found:
        return ""
    place, start = found[0]
    if heading == GAP:
        parts = [f"the centroids are {_ratio(start)} spreads apart {_at(place)}"]
    else:
        parts = [f"{_percent(start)} own neighbours {_at(place)}"]
    for later, _ in found[1:]:
        moved = mean_change(look, heading, later)
        if moved is not None:
            told = _ratio(moved, signed=True) if heading == GAP else _points(moved)
            beside = _beside(variant, look, later, heading)
            parts.append(f"{told} {_at(later)}{beside}")
    return "; ".join(parts)


def _moved(number: Told) -> str:
    how = {-1: "image and text are nearer to each other", 1: "image and text are further apart"}
    return f"{how.get(number.sign, 'no difference can be told')} ({_points(number)})"


def _beside(variant: Variant, look: Look, place: str, heading: str) -> str:
    """Whether the same change is there before any training."""
    control = variant.control
    if control is None or control is look:
        return ""
    moved, before = mean_change(look, heading, place), mean_change(control, heading, place)
    if moved is None or before is None:
        return ""
    told = _ratio(before, signed=True) if heading == GAP else _points(before)
    beyond = moved.minus(before).sign
    if not beyond:
        return f", as before training ({told})"
    if moved.sign * before.sign <= 0:
        return f", unlike before training ({told})"
    return f", {'more' if beyond == moved.sign else 'less'} than before training ({told})"


def _at(place: str) -> str:
    """``after channel scan`` -> ``after the channel scan``, ``cube`` -> ``in the cube``."""
    for word in ("after ", "before "):
        if place.startswith(word):
            return f"{word}the {place.removeprefix(word)}"
    return f"in the {place}" if place == "cube" else f"at the {place}"


def _percent(number: Told) -> str:
    if number.low is None or number.high is None:
        return f"{fmt.percent(number.value)} %"
    return f"{fmt.percent(number.value)} % {fmt.interval(number.low, number.high)}"


def _points(number: Told) -> str:
    if number.low is None or number.high is None:
        return f"{fmt.points(number.value)} points"
    return f"{fmt.points(number.value)} points {fmt.interval(number.low, number.high)}"


def _ratio(number: Told, *, signed: bool = False) -> str:
    sign = "+" if signed and number.value >= 0.005 else ""
    if number.low is None or number.high is None:
        return f"{sign}{fmt.ratio(number.value)}"
    return f"{sign}{fmt.ratio(number.value)} {fmt.plain_interval(number.low, number.high)}"
