"""gRefCOCO, converted or as ReLA ships it: expressions of one target, of several, and of none."""

from pathlib import Path

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._data_root import open_real
from remamber.datasets._grefs_layout import open_grefs
from remamber.datasets._origins import how_to_get
from remamber.datasets._photographs import IMAGE_FOLDERS, find_images
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec
from remamber.registry import DATASETS

register = DATASETS.register

_NAME = "grefcoco"


@register("grefcoco")
def grefcoco(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """gRefCOCO: an expression may name one target, several or none (an empty mask)."""
    return open_real(_NAME, spec, place, lambda root, maker: _published(spec, root, maker))


def _published(spec: DataSpec, root: Path, split_by: str) -> ReferringDataset:
    folder, images = root / _NAME, find_images(root)
    refs = folder / f"grefs({split_by}).json"
    parts = (
        (folder / "instances.json", ("instances.json",)),
        (refs, (refs.name, f"{refs.stem}.p")),
    )
    missing = [
        str(path.absolute())
        for path, names in parts
        if not any((folder / name).is_file() for name in names)
    ]
    if images is None:
        missing.append(f"{(root / IMAGE_FOLDERS[-1]).absolute()}/")
    if images is None or missing:
        raise UserError(
            f"data set '{_NAME}' not found under {root.absolute()}",
            where=[f"missing     {path}" for path in missing],
            fix=how_to_get(_NAME),
            exit_code=ExitCode.MISSING,
            slug="dataset_missing",
            path=str(root.absolute()),
        )
    return open_grefs(root, spec, folder=_NAME, split_by=split_by, name=_NAME, images=images)
