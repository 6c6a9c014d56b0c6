"""The folder of a data set's photographs: which are there, and the pixels of one."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from remamber.datasets import Image
from remamber.datasets._annotations import ImageEntry
from remamber.datasets._decode_worker import Job
from remamber.datasets._images import read_image
from remamber.errors import ExitCode, UserError

IMAGE_FOLDERS = ("images/mscoco/images/train2014", "images/train2014", "train2014")
"""Where the known code bases keep COCO's images under a data root, most common first."""


class Photographs:
    """The image files of a data set, listed once: faster than looking for each of 20,000.

    Args:
        folder: what ``ImageEntry.file_name`` is relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._there: dict[str, set[str]] = {}

    def absent(self, names: Collection[str]) -> list[str]:
        """Those of the names that are not in the folder, sorted."""
        return sorted(name for name in names if not self._has(name))

    def require(self, names: Collection[str], *, split: str) -> None:
        """Refuse a split some of whose images are missing, before hours of training.

        Raises:
            UserError: exit 3, with the first names, how many there are and where they belong.
        """
        absent = self.absent(names)
        if not absent:
            return
        more = f" and {len(absent) - 3:,} more" if len(absent) > 3 else ""
        raise UserError(
            f"{len(absent):,} of {len(names):,} images of split '{split}' are missing",
            where=[
                f"looked for  {', '.join(absent[:3])}{more}",
                f"in          {self.folder.absolute()}/",
            ],
            fix=[f"unpack the missing images into {self.folder.absolute()}/"],
            exit_code=ExitCode.MISSING,
            slug="image_missing",
            path=str(self.folder.absolute()),
        )

    def read(self, image_id: int, entry: ImageEntry) -> Image:
        """Pixels, uint8 ``h w 3`` at original size.

        Raises:
            UserError: the file is missing (exit 3) or cannot be read (exit 6).
        """
        image: Image = self.job(image_id, entry, None)()
        return image

    def job(self, image_id: int, entry: ImageEntry, size: int | None) -> Job:
        """What reads the image, stretched to ``s s 3`` if a size is given, in any process."""
        path = self.folder / entry.file_name
        return partial(
            read_image, path, image_id, height=entry.height, width=entry.width, size=size
        )

    def _has(self, name: str) -> bool:
        inner, _, last = name.rpartition("/")
        if inner not in self._there:
            place = self.folder / inner
            self._there[inner] = {p.name for p in place.iterdir()} if place.is_dir() else set()
        return last in self._there[inner]


def find_images(root: Path) -> Path | None:
    """COCO's image folder under a data root, if one of the known ones is there."""
    return next((root / place for place in IMAGE_FOLDERS if (root / place).is_dir()), None)
