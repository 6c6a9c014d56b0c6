"""A data set in gRefCOCO's layout: instances.json, grefs(SPLIT_BY).json and COCO's image folder."""

from pathlib import Path

from remamber.datasets._refer_files import ReferFiles, fingerprint
from remamber.datasets._refer_layout import ReferFolder
from remamber.datasets._sources import SourcePlace
from remamber.datasets._sources.grefs import Grefs
from remamber.plan.spec import DataSpec


def open_grefs(
    root: Path,
    spec: DataSpec,
    *,
    folder: str,
    split_by: str,
    name: str,
    images: Path,
    known_fingerprint: str | None = None,
) -> ReferFolder:
    """Open the data set in ``root/folder``; a ref may have one target, several or none.

    Args:
        root: the data root.
        spec: gives the mask rule.
        folder: the data set's folder under the root, such as ``grefcoco``.
        split_by: who made the splits.
        name: what the data set is called in messages.
        images: the image folder.
        known_fingerprint: of generated data, known from its configuration; None means the
            sha256 of both annotation files.

    Raises:
        UserError: a part is missing (exit 3) or damaged (exit 6).
    """
    place = SourcePlace(root / folder, images=images, name=name, split_by=split_by)
    source = Grefs.read(place)
    instances, refs = map(Path, source.files)
    return ReferFolder(
        ReferFiles(instances, refs, images),
        source.annotations,
        name=name,
        split_by=split_by,
        mask_rule=spec.mask_rule,
        fingerprint=known_fingerprint or fingerprint(tuple(source.files.values())),
    )
