"""What the records of trained models know of the accuracy of those whose cost is measured."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from remamber.plan.speed import model_key
from remamber.record.schema import Record

METRIC = "mIoU"


class Score(NamedTuple):
    """A model's mean over seeds, a fraction, and their range; None ends for one seed."""

    value: float
    low: float | None
    high: float | None
    seeds: int


class Accuracy(NamedTuple):
    """Scores of several models under one condition.

    Attributes:
        split: on which they were scored.
        condition: data, image size and length of the training in words.
        image_size: side of the images that they were trained on.
        scores: by ``model_key``.
    """

    split: str
    condition: str
    image_size: int
    scores: Mapping[str, Score]


def accuracy_of(keys: Sequence[str], records: Iterable[Record]) -> Accuracy | None:
    """The condition under which most of some models were scored, None if none was.

    Args:
        keys: of the models, by ``model_key``; size and parts must be the same.
        records: of everything that is in the store.
    """
    found: dict[tuple[str, str, int], dict[str, list[float]]] = {}
    for record in records:
        key = model_key(record.spec.model)
        value = _scored(record)
        if key in keys and value is not None:
            place = (record.spec.data.splits[0], _condition(record), record.spec.data.image_size)
            found.setdefault(place, {}).setdefault(key, []).append(value)
    if not found:
        return None
    place = max(found, key=lambda p: (len(found[p]), sum(map(len, found[p].values())), p))
    return Accuracy(*place, {key: _score(values) for key, values in found[place].items()})


def _scored(record: Record) -> float | None:
    if record.spec.task != "train" or record.status != "ok":
        return None
    lead = {"split": record.spec.data.splits[0]}
    values = (m.value for m in record.measurements if m.metric == METRIC and m.where == lead)
    return next(values, None)


def _condition(record: Record) -> str:
    data, train = record.spec.data, record.spec.train
    length = ""
    if train is not None:
        steps = f"{train.steps:,} steps" if train.steps else f"{train.epochs} epochs"
        length = f", {steps} of {train.batch}"
    preset = f" ({data.preset})" if data.preset else ""
    return f"{data.name}{preset} {data.splits[0]} at {data.image_size} px{length}"


def _score(values: Sequence[float]) -> Score:
    several = len(values) > 1
    low, high = (min(values), max(values)) if several else (None, None)
    return Score(fmean(values), low, high, len(values))
