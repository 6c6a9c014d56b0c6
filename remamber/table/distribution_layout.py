"""The tables of a distribution report: by model, what the scans change, and tap by tap."""

from collections.abc import Callable, Iterable

from remamber.table.distribution import (
    DistributionResults,
    Look,
    TapName,
    Told,
    Variant,
    change,
    mean_of,
)
from remamber.table.model import Cell, Column, Row, Table

LINE, FIRST, NEIGHBOURS, PROBE, GAP = (
    "text on a line",
    "text on axis 1",
    "own neighbours",
    "hyperplane",
    "centroids",
)
CHAPTER = "Place by place"
GROUPS = {"image": "Image", "text": "Text", "local": "Local", "fused": "Fused"}
"""Names of the groups for people."""
_NUMBERS: dict[str, tuple[str, str, str]] = {
    LINE: ("text", "line_share", "fraction"),
    FIRST: ("text", "first_axis_share", "fraction"),
    NEIGHBOURS: ("apart", "own_neighbours", "fraction"),
    PROBE: ("apart", "probe_accuracy", "fraction"),
    GAP: ("apart", "modality_gap", "exponent"),
}
"""Heading -> of the text or between groups, metric and unit."""
_NOTHING = Cell()
"""Of what is not there to be measured."""


def number_of(look: Look, heading: str) -> Callable[[TapName], Told | None]:
    """The number under a heading at a tap."""
    kind, metric, _ = _NUMBERS[heading]
    ask = look.text if kind == "text" else look.apart
    return lambda tap: ask(metric, tap)


def mean_at(look: Look, heading: str, place: str) -> Told | None:
    """The mean over stages and layers of a number at a place."""
    ask = number_of(look, heading)
    found = [ask(tap) for tap in look.taps if tap.place == place]
    return mean_of([number for number in found if number is not None])


def mean_change(look: Look, heading: str, place: str) -> Told | None:
    """The mean over stages and layers of a number's change since the first tap of a layer."""
    ask = number_of(look, heading)
    found = [change(look, ask, tap) for tap in look.taps if tap.place == place]
    return mean_of([number for number in found if number is not None])


def distribution_tables(results: DistributionResults) -> tuple[Table, ...]:
    """All tables that the records have something for."""
    tables = [changes(results)]
    tables += [by_tap(variant, i) for i, variant in enumerate(results.variants, start=1)]
    tables += [details(variant, i) for i, variant in enumerate(results.variants, start=1)]
    return (summary(results), *(t for t in tables if t is not None and t.rows))


def summary(results: DistributionResults) -> Table:
    """Every model and its control: the numbers at each place, mean over the stages."""
    places = _places(results.looks)
    headings = (LINE, NEIGHBOURS, PROBE)
    columns = [
        Column(group=heading.capitalize(), label=place, unit=_NUMBERS[heading][2])
        for heading in headings
        for place in places
    ]
    rows = [
        Row(
            key=f"{variant.key} {name}",
            label=_label(results, variant, name),
            cells=tuple(
                _cell(mean_at(look, heading, place)) for heading in headings for place in places
            ),
        )
        for variant in results.variants
        for name, look in variant.looks
        if look.taps
    ]
    return Table(
        name="results",
        title="Image and text, mean over the stages",
        head="Weights",
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.group != PROBE.capitalize()),
    )


def changes(results: DistributionResults) -> Table | None:
    """What every later place of a layer does to the numbers of its first, and the control's."""
    headings = (LINE, NEIGHBOURS, PROBE, GAP)
    columns = [
        Column(group=heading.capitalize(), label=label, unit=_difference(heading))
        for heading in headings
        for label in ("change", "beyond untrained")
    ]
    rows = []
    for variant in results.variants:
        for name, look in variant.looks[:1]:
            for place in _labelled(look)[1:]:
                cells = [
                    _cell(number)
                    for heading in headings
                    for number in _changes(variant, look, heading, place)
                ]
                label = f"{_label(results, variant, name, alone=True)}: {place}".strip(": ")
                rows.append(Row(key=f"{variant.key} {place}", label=label, cells=tuple(cells)))
    if not rows:
        return None
    first = next(iter(_labelled(results.looks[0])), "the first place")
    return Table(
        name="changes",
        title=f"Change since {first}, mean over the stages",
        head="To",
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.label == "change"),
    )


def by_tap(variant: Variant, number: int) -> Table | None:
    """Every number at every tap, trained and untrained beside each other."""
    looks = variant.looks
    if not looks:
        return None
    columns = [
        Column(group=heading.capitalize(), label=name, unit=unit)
        for heading, (_, _, unit) in _NUMBERS.items()
        for name, _ in looks
    ]
    columns += [Column(group="Similarity to before", label=n, unit="exponent") for n, _ in looks]
    rows = []
    for tap in looks[0][1].taps:
        cells = [_cell(number_of(look, h)(tap)) for h in _NUMBERS for _, look in looks]
        alike = (look.told("similarity", tap) for _, look in looks)
        cells += [_cell(found) for found in alike]
        rows.append(Row(key=tap.name, label=tap.name, cells=tuple(cells)))
    return Table(
        name=f"taps-{number}",
        title=f"Image and text place by place: {variant.label}",
        head="Place",
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.label == "trained"),
        chapter=CHAPTER,
    )


def details(variant: Variant, number: int) -> Table | None:
    """Points, variance on the axes, every group's line, and what the spatial scan reads."""
    if not variant.looks:
        return None
    look = variant.looks[0][1]
    groups = [g for g in GROUPS if any(g in look.groups(tap) for tap in look.taps)]
    columns = [Column(group="Points", label=GROUPS[g], unit="count") for g in groups]
    columns += [
        Column(group="Variance on axis", label=str(axis), unit="fraction") for axis in (1, 2, 3)
    ]
    columns += [Column(group="On a line", label=GROUPS[g], unit="fraction") for g in groups]
    columns += [
        Column(group="Read from", label=GROUPS[g], unit="fraction") for g in groups if g != "fused"
    ]
    columns += [
        Column(group="Image against local", label=heading, unit=_NUMBERS[heading][2])
        for heading in (NEIGHBOURS, PROBE, GAP)
    ]
    return Table(
        name=f"details-{number}",
        title=f"Points and axes place by place: {variant.label}",
        head="Place",
        columns=tuple(columns),
        rows=tuple(_detail(look, tap, groups) for tap in look.taps),
        lead=tuple(c.name for c in columns if c.group in ("Points", "Variance on axis")),
        chapter=CHAPTER,
    )


def _detail(look: Look, tap: TapName, groups: list[str]) -> Row:
    points, axes = look.groups(tap), look.axes(tap)
    lines, read = look.by_group("line_share", tap), look.by_group("read_share", tap)
    cells = [_cell(Told(points[g]) if g in points else None) for g in groups]
    cells += [_cell(Told(axes[i]) if i < len(axes) else None) for i in range(3)]
    cells += [_cell(lines.get(g)) for g in groups]
    cells += [_cell(read.get(g)) for g in groups if g != "fused"]
    for heading in (NEIGHBOURS, PROBE, GAP):
        cells.append(_cell(look.told(_NUMBERS[heading][1], tap, groups="image-local")))
    return Row(key=tap.name, label=tap.name, cells=tuple(cells))


def _changes(variant: Variant, look: Look, heading: str, place: str) -> list[Told | None]:
    own = mean_change(look, heading, place)
    control = variant.control if variant.control is not look else None
    before = mean_change(control, heading, place) if control is not None else None
    return [own, own.minus(before) if own is not None and before is not None else None]


def _labelled(look: Look) -> list[str]:
    """Places at which image and text are told apart, in their order."""
    ask = number_of(look, NEIGHBOURS)
    lines = number_of(look, LINE)
    return list(
        dict.fromkeys(t.place for t in look.taps if ask(t) is not None or lines(t) is not None)
    )


def _places(looks: Iterable[Look]) -> list[str]:
    return list(dict.fromkeys(place for look in looks for place in _labelled(look)))


def _label(
    results: DistributionResults, variant: Variant, name: str, *, alone: bool = False
) -> str:
    if alone:
        return variant.label if len(results.variants) > 1 else ""
    return f"{variant.label}, {name}"


def _difference(heading: str) -> str:
    return "points" if _NUMBERS[heading][2] == "fraction" else "exponent"


def _cell(number: Told | None) -> Cell:
    if number is None:
        return _NOTHING
    return Cell(value=number.value, low=number.low, high=number.high)
