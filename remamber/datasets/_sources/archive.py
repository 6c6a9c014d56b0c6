"""Archives: said to be what they are; whoever has one unpacks it with the tools made for it."""

import shlex
from pathlib import Path

from remamber.datasets._annotations import Source
from remamber.datasets._sources import SHAPES, SourcePlace
from remamber.errors import UserError

register = SHAPES.register

_ZIP = (".zip",)
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@register("archive")
class Archive:
    """A ``.zip`` or ``.tar.gz`` as downloaded: has to be unpacked first."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """By the ending of the name."""
        return path.is_file() and path.name.lower().endswith((*_ZIP, *_TAR))

    @staticmethod
    def read(place: SourcePlace) -> Source:
        """Refuse it with the command that unpacks it.

        Raises:
            UserError: always (exit 2).
        """
        path = place.path
        folder = path.parent / path.name.split(".")[0]
        archive, to = shlex.quote(str(path)), shlex.quote(str(folder))
        unzip = f"unzip {archive} -d {to}"
        untar = f"mkdir -p {to} && tar -xf {archive} -C {to}"
        raise UserError(
            f"{path} is an archive: unpack it, then read the folder",
            fix=[
                unzip if path.name.lower().endswith(_ZIP) else untar,
                f"remamber-bench data convert {to}",
            ],
            slug="archive",
            path=str(path),
        )
