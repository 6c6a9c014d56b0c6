"""Finding and reading the three parts of a REFER data set: instances, refs, image folder."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets._json_file import ReadFile, read_json, read_whole
from remamber.datasets._photographs import IMAGE_FOLDERS, find_images
from remamber.datasets._unpickle import load_plain_pickle
from remamber.errors import ExitCode, UserError


class ReferFiles(NamedTuple):
    """The parts of one data set under a data root."""

    instances: Path
    refs: Path
    images: Path


class ReferContent(NamedTuple):
    """What the two annotation files hold, and the sha256 (hexadecimal) of each."""

    instances: Any
    refs: Any
    digests: tuple[str, str]

    @property
    def fingerprint(self) -> str:
        """sha256 (hexadecimal) of both together."""
        return fingerprint(self.digests)


def locate(
    root: Path, *, folder: str, split_by: str, name: str, fix: Sequence[str] = ()
) -> ReferFiles:
    """Find the parts of a data set; ``refs(SPLIT_BY).json`` is preferred to the pickle.

    Raises:
        UserError: a part is missing (exit 3): what was looked for and what was found.
    """
    instances = root / folder / "instances.json"
    refs = [root / folder / f"refs({split_by}).{ending}" for ending in ("json", "p")]
    found_refs = next((path for path in refs if path.is_file()), None)
    found_images = find_images(root)
    if instances.is_file() and found_refs and found_images:
        return ReferFiles(instances, found_refs, found_images)
    parts = {
        instances: instances.is_file(),
        refs[1]: found_refs,
        root / IMAGE_FOLDERS[-1]: found_images,
    }
    raise UserError(
        f"data set '{name}' not found under {root.absolute()}",
        where=[
            f"looked for  {', '.join(_shown(path) for path in parts)}",
            f"            (images also as {' or '.join(f'{p}/' for p in IMAGE_FOLDERS[:-1])})",
            f"found       {', '.join(_shown(p) for p, there in parts.items() if there) or 'none'}",
            f"missing     {', '.join(_shown(p) for p, there in parts.items() if not there)}",
            *_hints(root, folder, split_by),
        ],
        fix=fix,
        exit_code=ExitCode.MISSING,
        slug="dataset_missing",
        path=str(root.absolute()),
    )


def read(files: ReferFiles) -> ReferContent:
    """Read and hash both annotation files.

    Raises:
        UserError: one of them cannot be read (exit 6); a pickle that asks for code is refused.
    """
    instances = read_json(files.instances)
    refs = read_json(files.refs) if files.refs.suffix == ".json" else _pickle(files.refs)
    return ReferContent(instances.content, refs.content, (instances.sha256, refs.sha256))


def fingerprint(digests: Sequence[str]) -> str:
    """sha256 (hexadecimal) of files by the sha256 of each, in their order."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def _shown(path: Path) -> str:
    return f"{path.absolute()}{'' if path.suffix else '/'}"


def _hints(root: Path, folder: str, split_by: str) -> list[str]:
    if not root.is_dir():
        return [f"because     {root.absolute()} is not a folder"]
    if (root / "instances.json").is_file():
        return [f"hint        the data root is the folder that holds {folder}/, one level up"]
    wanted = f"refs({split_by})"
    others = [path.name for path in sorted((root / folder).glob("refs(*")) if path.stem != wanted]
    return [f"hint        other splits are there: {', '.join(others)}"] if others else []


def _pickle(path: Path) -> ReadFile:
    raw = read_whole(path)
    return ReadFile(load_plain_pickle(raw, path=path), hashlib.sha256(raw).hexdigest())
