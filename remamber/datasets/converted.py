"""Data sets that are opened from the converted layout only: RefClef (ReferIt) and PhraseCut."""

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._data_root import open_real
from remamber.plan.spec import DataSpec
from remamber.registry import DATASETS

register = DATASETS.register


@register("refclef")
def refclef(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """RefClef (ReferIt), Berkeley's split: other photographs, objects and stuff."""
    return open_real("refclef", spec, place)


@register("phrasecut")
def phrasecut(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """PhraseCut: phrases with attributes and relations, often several regions."""
    return open_real("phrasecut", spec, place)
