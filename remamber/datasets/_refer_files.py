"""Finding and reading the three parts of a REFER data set: instances, refs, image folder."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from remamber.datasets._damaged import damaged
from remamber.datasets._unpickle import load_plain_pickle
from remamber.errors import ExitCode, UserError

IMAGE_FOLDERS = ("images/mscoco/images/train2014", "images/train2014", "train2014")
"""Where the known code bases keep COCO's images under a data root, most common first."""


class ReferFiles(NamedTuple):
    """The parts of one data set under a data root."""

    instances: Path
    refs: Path
    images: Path


class ReferContent(NamedTuple):
    """What the two annotation files hold, and the sha256 (hexadecimal) of both together."""

    instances: Any
    refs: Any
    fingerprint: str


def locate(
    root: Path, *, folder: str, split_by: str, name: str, fix: Sequence[str] = ()
) -> ReferFiles:
    """Find the parts of a data set; ``refs(SPLIT_BY).json`` is preferred to the pickle.

    Raises:
        UserError: a part is missing (exit 3): what was looked for and what was found.
    """
    instances = root / folder / "instances.json"
    refs = [root / folder / f"refs({split_by}).{ending}" for ending in ("json", "p")]
    images = [root / place for place in IMAGE_FOLDERS]
    found_refs = next((path for path in refs if path.is_file()), None)
    found_images = next((path for path in images if path.is_dir()), None)
    if instances.is_file() and found_refs and found_images:
        return ReferFiles(instances, found_refs, found_images)
    parts = {instances: instances.is_file(), refs[1]: found_refs, images[-1]: found_images}
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
    instances, refs = _bytes(files.instances), _bytes(files.refs)
    both = hashlib.sha256(hashlib.sha256(instances).digest() + hashlib.sha256(refs).digest())
    load = _json if files.refs.suffix == ".json" else load_plain_pickle
    return ReferContent(
        instances=_json(instances, path=files.instances),
        refs=load(refs, path=files.refs),
        fingerprint=both.hexdigest(),
    )


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


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise damaged(f"'{path.name}' cannot be read ({error.strerror})", path) from error


def _json(content: bytes, *, path: Path) -> Any:  # noqa: ANN401 - the caller checks
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} of {len(content):,} bytes"
        what = f"'{path.name}' is not whole JSON ({error.msg} at {place})"
        raise damaged(what, path) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise damaged(f"'{path.name}' is not JSON in UTF-8 ({error})", path) from error
