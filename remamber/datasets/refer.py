"""RefCOCO, RefCOCO+ and RefCOCOg (the paper's G-Ref) from a data root in REFER's layout."""

from remamber.datasets import DataPlace
from remamber.datasets._refer_layout import ReferFolder, open_refer
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec
from remamber.registry import DATASETS

register = DATASETS.register

_ARCHIVE = (
    "https://web.archive.org/web/{stamp}/https://bvisionweb1.cs.unc.edu/licheng/referit/data/{file}"
)
_STAMPS = {
    "refcoco": "20220413011718",
    "refcoco+": "20220413011656",
    "refcocog": "20220413012904",
}
_PHOTOGRAPHS = "http://images.cocodataset.org/zips/train2014.zip"


@register("refcoco")
def refcoco(spec: DataSpec, place: DataPlace) -> ReferFolder:
    """RefCOCO, UNC split: short expressions, location words allowed."""
    return _open("refcoco", spec, place, split_by="unc")


@register("refcoco+")
def refcoco_plus(spec: DataSpec, place: DataPlace) -> ReferFolder:
    """RefCOCO+, UNC split: short expressions without location words."""
    return _open("refcoco+", spec, place, split_by="unc")


@register("refcocog")
def refcocog(spec: DataSpec, place: DataPlace) -> ReferFolder:
    """RefCOCOg (G-Ref), UMD split: long expressions."""
    return _open("refcocog", spec, place, split_by="umd")


def _open(name: str, spec: DataSpec, place: DataPlace, *, split_by: str) -> ReferFolder:
    fix = _how_to_get(name)
    if place.root is None:
        raise UserError(
            f"data set '{name}' needs a data root and none was given",
            where=[f"looked for  a folder that holds {name}/ and train2014/", "found       none"],
            fix=["add --data-root DIR", *fix],
            exit_code=ExitCode.MISSING,
            slug="dataset_missing",
        )
    return open_refer(
        place.root,
        spec,
        folder=name,
        split_by=spec.split_by or split_by,
        name=name,
        fix=fix,
    )


def _how_to_get(name: str) -> list[str]:
    annotations = _ARCHIVE.format(stamp=_STAMPS[name], file=f"{name}.zip")
    return [
        "remamber-bench ablate scans --data synth-refcoco    (built-in, no download)",
        f"or unpack into the data root  {annotations}",
        f"and  {_PHOTOGRAPHS}  (13 GB)",
    ]
