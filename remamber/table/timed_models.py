"""Which models two timings are of, and whether they were taken on one machine."""

from collections.abc import Sequence
from pathlib import Path

from remamber.errors import UserError
from remamber.plan.speed import SpeedSpec, model_labels
from remamber.record.schema import Record
from remamber.registry import unknown

MODEL_MARK = "@"
"""Between a name of records and a model in them: ``RUN@lavt``."""

_MACHINE = ("machine", "device", "threads")


def without_model(text: str) -> tuple[str, str | None]:
    """A name of records, and the model that stands behind it; None if there is none.

    A folder's own name may hold the mark.
    """
    name, mark, model = text.rpartition(MODEL_MARK)
    if not (mark and name and model) or "/" in model or Path(text).exists():
        return text, None
    return name, model


def models_of(
    names: tuple[str | None, str | None], records: tuple[Record, Record], *, same_run: bool
) -> list[tuple[str, str]]:
    """Keys of the models of A and B that are compared.

    Args:
        names: what each side calls its model; None for those that both have.
        records: of A and of B.
        same_run: whether they are one record, which then needs two models.

    Raises:
        UserError: a model is not in the record, or one record is compared with itself.
    """
    named = [
        _model(name, record) if name is not None else None
        for name, record in zip(names, records, strict=True)
    ]
    a, b = named
    if same_run and (a is None or b is None or a == b):
        labels = list(labels_of(records[0]).values())
        run = records[0].run_id
        raise UserError(
            "A and B are the same run: say which of its models each is",
            where=[f"models of {run}  {', '.join(labels)}"],
            fix=[
                f"remamber-bench compare '{run}{MODEL_MARK}{labels[0]}' "
                f"'{run}{MODEL_MARK}{labels[-1]}'"
            ],
            slug="same_run",
        )
    if a is not None and b is not None:
        return [(a, b)]
    one = a or b
    shared = [k for k in labels_of(records[0]) if k in labels_of(records[1])]
    return [(key, key) for key in shared if one in (None, key)]


def _model(text: str, record: Record) -> str:
    """The key of a model that is named by its label or by its key."""
    labels = labels_of(record)
    found = [key for key, label in labels.items() if text in (key, label)]
    if not found:
        raise unknown("model", text, list(labels.values()), where=[f"models of {record.run_id}"])
    return found[0]


def labels_of(record: Record) -> dict[str, str]:
    """Short names of a record's models by their keys."""
    return model_labels(_settings(record).models)


def label_of(record: Record, key: str) -> str:
    """A model's short name."""
    return labels_of(record)[key]


def _settings(record: Record) -> SpeedSpec:
    if record.spec.speed is None:
        raise UserError(f"run {record.run_id} holds no times of models", slug="no_times")
    return record.spec.speed


def condition_of(record: Record) -> str:
    """Image size and condition in words."""
    settings = _settings(record)
    return f"{settings.image_size} px, {', '.join(settings.condition())}"


def crossing_of(records: tuple[Record, Record]) -> list[str]:
    """What of the machine differs between two records, in words."""
    a, b = map(_settings, records)
    return [
        f"{name} {getattr(a, name)} -> {getattr(b, name)}"
        for name in _MACHINE
        if getattr(a, name) != getattr(b, name)
    ]


def different_machines(records: tuple[Record, Record], crossing: Sequence[str]) -> UserError:
    """The error for times of different machines."""
    return UserError(
        "A and B were timed on different machines, so a difference may be that of the machines",
        where=[
            *(
                f"{r.run_id}  {r.environment.cpu}, {r.environment.device}, "
                f"{r.environment.threads} threads, torch {r.environment.packages.get('torch', '?')}"
                for r in records
            ),
            *crossing,
        ],
        fix=["measure both here: remamber-bench speed", "--cross-machine compares them anyway"],
        slug="different_machines",
    )
