"""Which splits of a data set are scored where nothing else is said."""

from remamber.plan.strict_toml import Layer

_ONE_TEST = ("val", "test")
_SPLITS = {"refcocog": _ONE_TEST, "synth-refcocog": _ONE_TEST}


def usual_splits(name: str) -> tuple[str, ...] | None:
    """The splits of a data set that has others than RefCOCO's, None for those that have these."""
    return _SPLITS.get(name)


def splits_layer(dataset: str | None) -> list[Layer]:
    """The splits of the data set that the command line names, if they are not RefCOCO's."""
    splits = usual_splits(dataset) if dataset is not None else None
    return [(f"the splits of {dataset}", {"data": {"splits": splits}})] if splits else []
