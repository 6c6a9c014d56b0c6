"""RefCOCO, RefCOCO+ and RefCOCOg (the paper's G-Ref), converted or in REFER's layout."""

from pathlib import Path

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._data_root import open_real
from remamber.datasets._origins import how_to_get
from remamber.datasets._refer_layout import open_refer
from remamber.plan.spec import DataSpec
from remamber.registry import DATASETS

register = DATASETS.register


@register("refcoco")
def refcoco(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """RefCOCO, UNC split: short expressions, location words allowed."""
    return _open("refcoco", spec, place)


@register("refcoco+")
def refcoco_plus(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """RefCOCO+, UNC split: short expressions without location words."""
    return _open("refcoco+", spec, place)


@register("refcocog")
def refcocog(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """RefCOCOg (G-Ref), UMD split: long expressions."""
    return _open("refcocog", spec, place)


def _open(name: str, spec: DataSpec, place: DataPlace) -> ReferringDataset:
    def published(root: Path, split_by: str) -> ReferringDataset:
        fix = how_to_get(name)
        return open_refer(root, spec, folder=name, split_by=split_by, name=name, fix=fix)

    return open_real(name, spec, place, published)
