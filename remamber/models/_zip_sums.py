"""Whether the parts of a zip file still have the checksums that they were written with."""

import zipfile
import zlib
from pathlib import Path

_PIECE = 1 << 22
_FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What reading a part raises: another sum, cut short, a method or an encryption that no
checkpoint has, a place outside the file."""


def first_damaged_part(path: Path) -> str | None:
    """Name of the first part of a zip file that cannot be read as it was written, if any.

    Reads the whole file once, in pieces. torch can be told to write no checksums
    (``torch.serialization.set_crc32_options``): of parts without one nothing can be said.
    """
    name = "its list of parts"
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                name = part.filename
                if part.CRC or not part.file_size:
                    _read(archive, part)
    except _FAILURES:
        return name
    return None


def _read(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    with archive.open(part) as stream:
        while stream.read(_PIECE):
            pass
