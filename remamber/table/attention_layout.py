"""The tables of a report of maps: each score by depth, what depth changes, models, words."""

from collections.abc import Callable, Iterator
from itertools import combinations

from remamber.table.attention import AttentionResults, Variant, difference, rise
from remamber.table.distribution import Told
from remamber.table.maps import AMONG_AREA, AREA, BEST, SCORES, Maps
from remamber.table.model import Cell, Column, Row, Table

TITLES = {
    "energy": "Energy inside the target",
    "among": "Energy among objects",
    "pointing": "Pointing game",
    "rank": "Rank of the target's pixels",
}
"""Score -> title of its table."""
SHORT = {
    "energy": "energy",
    "among": "among objects",
    "pointing": "pointing",
    "rank": "rank",
}
"""Score -> its name in a row."""
HALF = Told(0.5)
"""What the rank comes to by chance."""
ALL_STAGES = "mean"


def attention_tables(results: AttentionResults) -> tuple[Table, ...]:
    """All tables that the records have something for."""
    tables = [by_depth(results, score) for score in SCORES]
    tables += [depth(results), *models(results), *kinds(results), layers(results)]
    return tuple(table for table in tables if table.rows)


def by_depth(results: AttentionResults, score: str) -> Table:
    """A score of every model, trained and not, by stage; chance and what the grid allows below."""
    first = results.first
    rows = [
        _row(f"{v.label}, {name}", results, lambda s, m=maps: m.told(score, s))  # type: ignore[misc]
        for v in results.variants
        for name, maps in v.both
    ]
    if score == "rank":
        rows.append(_row("Chance", results, lambda stage: HALF))
    elif score == "among":
        rows.append(_row("Chance: share of area", results, lambda s: first.told(AMONG_AREA)))
    else:
        rows.append(_row("Chance: the target's area", results, lambda s: first.told(AREA)))
        rows.append(_row("Most that the grid allows", results, lambda s: first.told(BEST, s)))
    return Table(
        name="results" if score == "energy" else score,
        title=TITLES[score],
        head="Weights",
        columns=_stage_columns(results, "fraction"),
        rows=tuple(rows),
    )


def depth(results: AttentionResults) -> Table:
    """How far each score is higher at the last stage than at the first."""
    columns = (
        Column(group="", label="last − first", unit="points"),
        Column(group="", label="beyond untrained", unit="points"),
    )
    rows = []
    for variant in results.variants:
        for name, maps in variant.both[:1]:
            for score in SCORES:
                told = variant.label if name == "trained" else f"{variant.label}, {name}"
                label = f"{told}: {SHORT[score]}"
                cells = tuple(map(_cell, _rises(variant, maps, score)))
                rows.append(Row(key=label, label=label, cells=cells))
    return Table(
        name="depth",
        title="What depth changes, last stage less first",
        head="Weights",
        columns=columns,
        rows=tuple(rows),
    )


def _rises(variant: Variant, maps: Maps, score: str) -> list[Told | None]:
    own = rise(maps, score)
    before = rise(variant.control, score) if variant.control is not None else None
    if variant.control is maps or own is None or before is None:
        return [own, None]
    is_paired = variant.control is not None and variant.control.key() == maps.key()
    return [own, own.minus(before) if is_paired else None]


def models(results: AttentionResults) -> list[Table]:
    """Every two models' difference in each score, by stage; paired by expression."""
    pairs = combinations(_trained(results), 2)
    return [
        Table(
            name=f"models-{number}",
            title=f"{one.label} less {other.label}, trained",
            head="Score",
            columns=_stage_columns(results, "points"),
            rows=tuple(
                _row(SHORT[z], results, lambda s, x=a, y=b, z=z: difference(x, y, z, s))  # type: ignore[misc]
                for z in SCORES
            ),
        )
        for number, ((one, a), (other, b)) in enumerate(pairs, start=1)
    ]


def kinds(results: AttentionResults) -> list[Table]:
    """Energy beyond the target's area in the maps of words of one kind, by stage."""
    return [
        Table(
            name=f"kinds-{number}",
            title=f"Energy beyond the target's area, by kind of word: {variant.label}",
            head="Words",
            columns=_stage_columns(results, "points"),
            rows=tuple(
                _row(_kind(maps, r), results, lambda s, m=maps, r=r: m.beyond_area(s, r))  # type: ignore[misc]
                for r in maps.readings
                if maps.count(r)
            ),
        )
        for number, (variant, maps) in enumerate(_trained(results), start=1)
    ]


def _kind(maps: Maps, reading: str) -> str:
    return "all tokens" if reading == "all" else f"{reading} (n = {maps.count(reading):,})"


def layers(results: AttentionResults) -> Table:
    """Energy layer by layer, of models that have several maps in a stage."""
    columns = [
        Column(group=TITLES[score], label="trained", unit="fraction", higher_is_better=True)
        for score in SCORES
    ]
    rows = [
        Row(
            key=f"{variant.label} {place}",
            label=f"{variant.label}: {place}",
            cells=tuple(_cell(maps.at_place(score, place)) for score in SCORES),
        )
        for variant, maps in _trained(results)
        if len(maps.places) > len(maps.stages)
        for place in maps.places
    ]
    return Table(
        name="layers",
        title="Layer by layer",
        head="Map",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def _trained(results: AttentionResults) -> Iterator[tuple[Variant, Maps]]:
    for variant in results.variants:
        if variant.trained is not None:
            yield variant, variant.trained


def _stage_columns(results: AttentionResults, unit: str) -> tuple[Column, ...]:
    better = True if unit == "fraction" else None
    labels = [*(f"stage {stage}" for stage in results.stages), ALL_STAGES]
    return tuple(
        Column(group="", label=label, unit=unit, higher_is_better=better) for label in labels
    )


def _row(label: str, results: AttentionResults, number: Callable[[int | None], Told | None]) -> Row:
    cells = [_cell(number(stage)) for stage in (*results.stages, None)]
    return Row(key=label, label=label, cells=tuple(cells))


def _cell(number: Told | None) -> Cell:
    if number is None:
        return Cell(status="not-measured", reason="no such map")
    return Cell(value=number.value, low=number.low, high=number.high)
