"""Finding the three parts of a REFER data set: instances, refs, image folder."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from remamber.datasets._photographs import IMAGE_FOLDERS, find_images
from remamber.errors import ExitCode, UserError


class ReferFiles(NamedTuple):
    """The parts of one data set under a data root."""

    instances: Path
    refs: Path
    images: Path


def locate(
    root: Path, *, folder: str, word: str, split_by: str, name: str, fix: Sequence[str] = ()
) -> ReferFiles:
    """Find the parts of a data set; ``WORD(SPLIT_BY).json`` is preferred to the pickle.

    Raises:
        UserError: a part is missing (exit 3): what was looked for and what was found.
    """
    instances = root / folder / "instances.json"
    refs = [root / folder / f"{word}({split_by}).{ending}" for ending in ("json", "p")]
    found_refs = next((path for path in refs if path.is_file()), None)
    found_images = find_images(root)
    if instances.is_file() and found_refs and found_images:
        return ReferFiles(instances, found_refs, found_images)
    parts = {
        instances: instances.is_file(),
        refs[0] if word == "grefs" else refs[1]: found_refs,
        root / IMAGE_FOLDERS[-1]: found_images,
    }
    raise UserError(
        f"data set '{name}' not found under {root.absolute()}",
        where=[
            f"looked for  {', '.join(_shown(path) for path in parts)}",
            f"            (images also as {' or '.join(f'{p}/' for p in IMAGE_FOLDERS[:-1])})",
            f"found       {', '.join(_shown(p) for p, there in parts.items() if there) or 'none'}",
            f"missing     {', '.join(_shown(p) for p, there in parts.items() if not there)}",
            *_hints(root, folder, f"{word}({split_by})"),
        ],
        fix=fix,
        exit_code=ExitCode.MISSING,
        slug="dataset_missing",
        path=str(root.absolute()),
    )


def fingerprint(digests: Sequence[str]) -> str:
    """sha256 (hexadecimal) of files by the sha256 of each, in their order."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def _shown(path: Path) -> str:
    return f"{path.absolute()}{'' if path.suffix else '/'}"


def _hints(root: Path, folder: str, wanted: str) -> list[str]:
    if not root.is_dir():
        return [f"because     {root.absolute()} is not a folder"]
    if (root / "instances.json").is_file():
        return [f"hint        the data root is the folder that holds {folder}/, one level up"]
    word = wanted.partition("(")[0]
    others = [p.name for p in sorted((root / folder).glob(f"{word}(*")) if p.stem != wanted]
    return [f"hint        other splits are there: {', '.join(others)}"] if others else []
