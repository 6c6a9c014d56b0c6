"""gRefCOCO, converted or as ReLA ships it: expressions of one target, of several, and of none."""

from pathlib import Path

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._data_root import open_real
from remamber.datasets._origins import how_to_get
from remamber.datasets._refer_layout import open_refer
from remamber.plan.spec import DataSpec
from remamber.registry import DATASETS

register = DATASETS.register


@register("grefcoco")
def grefcoco(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """gRefCOCO: an expression may name one target, several or none (an empty mask)."""
    name = "grefcoco"

    def published(root: Path, split_by: str) -> ReferringDataset:
        fix = how_to_get(name)
        return open_refer(
            root, spec, folder=name, split_by=split_by, name=name, shape="grefs", fix=fix
        )

    return open_real(name, spec, place, published)
