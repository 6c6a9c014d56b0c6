"""Which splits of a data set are scored where nothing else is said."""

_ONE_TEST = ("val", "test")
_SPLITS = {"refcocog": _ONE_TEST, "synth-refcocog": _ONE_TEST}


def usual_splits(name: str) -> tuple[str, ...] | None:
    """The splits of a data set that has others than RefCOCO's, None for those that have these."""
    return _SPLITS.get(name)
