"""The hash by which a run names a file that its numbers depend on."""

import hashlib
from pathlib import Path


def file_digest(path: Path) -> str:
    """sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
