"""The tables of a report of receptive fields: radii, what changed in training, directions."""

from remamber.table.model import Cell, Column, Row, Table
from remamber.table.receptive import HALF, MOST, FieldRow, Found, ReceptiveResults, difference


def receptive_tables(results: ReceptiveResults) -> tuple[Table, ...]:
    """All tables that the records have something for."""
    made = (_radii_table(results), _training_table(results), _direction_table(results))
    return tuple(table for table in made if table.rows)


def _radii_table(results: ReceptiveResults) -> Table:
    columns = [
        Column(group=name, label=label, unit="fraction")
        for name in results.maps
        for label in ("half", "90 %")
    ]
    rows = [
        Row(
            key=f"{row.key} {'trained' if row.trained else 'initial'}",
            label=row.label,
            cells=tuple(
                _cell(row.radius(name, share), row.images)
                for name in results.maps
                for share in (HALF, MOST)
            ),
        )
        for row in results.rows
    ]
    return Table(
        name="radius",
        title="Radius that holds half and 90 % of the gradient's energy, % of the image's side",
        head="Weights",
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.group == results.maps[-1]) if columns else (),
    )


def _training_table(results: ReceptiveResults) -> Table:
    columns = tuple(
        Column(group="Trained minus initial", label=name, unit="points") for name in results.maps
    )
    rows = tuple(
        Row(
            key=trained.key,
            label=trained.label,
            cells=tuple(
                _cell(difference(trained, initial, name, HALF), trained.images)
                for name in results.maps
            ),
        )
        for trained, initial in results.pairs
    )
    return Table(
        name="training",
        title="What training changed: radius that holds half, points of the image's side",
        head="Weights",
        columns=columns,
        rows=rows,
    )


def _direction_table(results: ReceptiveResults) -> Table:
    far = [name for name in results.maps if any(_has_far(row, name) for row in results.rows)]
    maps = far or list(results.maps)
    ended = [name for name in results.maps if name not in maps]
    columns = [
        Column(group=name, label=label, unit=unit) for name in maps for label, unit in _DIRECTIONS
    ]
    rows = [
        Row(
            key=f"{row.key} {'trained' if row.trained else 'initial'}",
            label=row.label,
            cells=tuple(cell for name in maps for cell in _directions(row, name)),
        )
        for row in results.rows
    ]
    return Table(
        name="direction",
        title="Energy beyond two cells around the middle, and where it lies",
        head="Weights",
        columns=tuple(columns),
        rows=tuple(rows),
        lead=tuple(c.name for c in columns if c.label in ("far", "above")),
        note=f"Not in it: {', '.join(ended)}, where the image ends there." if ended else "",
    )


def _has_far(row: FieldRow, name: str) -> bool:
    far = row.part(name, "far")
    return far is None or far.value != 0


_DIRECTIONS = (
    ("far", "fraction"),
    ("above", "fraction"),
    ("left", "fraction"),
    ("across", "fraction"),
    ("own row, column", "ratio"),
)


def _directions(row: FieldRow, name: str) -> list[Cell]:
    found = [
        row.part(name, "far"),
        *(row.part(name, region, of="far") for region in ("above", "left", "across")),
        row.part(name, "band", of="band_even"),
    ]
    if found[0] is not None and found[0].value == 0:
        return [Cell(status="not-measured", reason="the image ends there")] * len(found)
    return [_cell(one, row.images) for one in found]


def _cell(found: Found | None, images: int) -> Cell:
    if found is None:
        return Cell(status="not-measured", reason="no energy")
    return Cell(value=found.value, low=found.low, high=found.high, n=images)
