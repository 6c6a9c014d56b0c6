"""Models that one side of a comparison alone has times of: on the other they did not end well."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from remamber.record.schema import Record
from remamber.table.sides import Pair
from remamber.table.timed_models import condition_of, labels_of

_ENDED = {"oom": "ran out of memory", "skipped_oom": "ran out of memory", "error": "failed"}


class Lost(NamedTuple):
    """A model that A or B could not measure though the other did; how it ended, in words."""

    side: Literal["A", "B"]
    model: str
    group: str
    ended: str


def lost_models(joined: Sequence[Pair], models: tuple[str | None, str | None]) -> list[Lost]:
    """What is missing on one side alone.

    Args:
        joined: pairs of records.
        models: what each side calls its model; where both name one there is none to miss.
    """
    if None not in models:
        return []
    return [
        lost
        for pair in joined
        for records in records_of(pair)
        for lost in _of_records(*records, models)
    ]


def records_of(pair: Pair) -> list[tuple[Record, Record]]:
    """Those of equal seeds; of one run on each side the seeds do not matter to their times."""
    if len(pair.a) == len(pair.b) == 1:
        return [(next(iter(pair.a.values())), next(iter(pair.b.values())))]
    return [(pair.a[seed], pair.b[seed]) for seed in sorted(pair.a.keys() & pair.b.keys())]


def ended(record: Record, key: str) -> str:
    """How a model ended in a record, in words; empty if it was measured or is not in it."""
    return _ENDED.get(str(record.data.get(f"status {key}", "")), "")


def _of_records(a: Record, b: Record, models: tuple[str | None, str | None]) -> list[Lost]:
    found = []
    for key, label in labels_of(b).items():
        if key not in labels_of(a) or not all(m in (None, key, label) for m in models):
            continue
        if bool(ended(a, key)) != bool(ended(b, key)):
            side: Literal["A", "B"] = "A" if ended(a, key) else "B"
            how = ended(a, key) or ended(b, key)
            found.append(Lost(side, label, condition_of(b), how))
    return found
