"""Writing the converted layout: a folder that is there whole or not at all.

``ROOT/NAME/converted(SPLIT_BY)/`` holds ``index.json``, the folder ``columns`` and, where the
source ships pixels in its own files or copies were asked for, the folder ``images``.
"""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from remamber.datasets import OnProgress
from remamber.datasets._annotations import ImageEntry, Source
from remamber.datasets._converted_columns import OPTIONAL
from remamber.datasets._converted_index import NAME, FileOf, Index, SplitOf, read_index
from remamber.datasets._converted_tables import Tables, tables
from remamber.datasets._damaged import damaged_source
from remamber.datasets._photographs import Photographs
from remamber.datasets._unwritable import cannot_write
from remamber.errors import ExitCode, UserError
from remamber.plan.file_digest import file_digest

COLUMNS, IMAGES = "columns", "images"
_NAME = re.compile(r"[\w+][\w+.-]*")
_TOLD_EVERY = 100


@dataclass(frozen=True)
class Written:
    """What a conversion made, or found to be there already.

    Attributes:
        folder: of the converted data set.
        index: its index.
        absent: images with refs that are not in the image folder; None where it is not known.
        anew: whether it was written now.
    """

    folder: Path
    index: Index
    absent: int | None
    anew: bool


def converted_folder(root: Path, name: str, split_by: str) -> Path:
    """Where a data set lies converted under a data root."""
    return root / name / f"converted({split_by})"


def write_converted(
    source: Source,
    root: Path,
    *,
    shape: str,
    copy_images: bool = False,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Written:
    """Write a data set under a data root; nothing is done if the same one is there already.

    Args:
        source: what was read.
        root: the data root.
        shape: the shape that it was read in.
        copy_images: copy the images that have refs beside the columns.
        on_progress: told of masks and images.

    Raises:
        UserError: the name is no folder name (exit 2), the disk is full or not writable (exit
            3), the source's files do not fit together (exit 6).
    """
    for word in (source.name, source.split_by):
        if not _NAME.fullmatch(word):
            raise UserError(
                f"'{word}' cannot name a data set or whose splits they are",
                fix=["letters, digits, '+', '-', '.' and '_' only: --name refcoco+ --split-by unc"],
                slug="bad_name",
            )
    folder = converted_folder(root, source.name, source.split_by)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            there = _same(source, root, folder)
            if there is not None and not copy_images:
                return there
            index = _write(source, root, folder, shape, copy_images, on_progress)
    except OSError as error:
        other = "--to DIR: another folder"
        raise cannot_write("converted data", folder, error, otherwise=other) from error
    return Written(folder, index, _absent(source, root, index), anew=True)


def image_folder(root: Path, index: Index) -> Path | None:
    """The folder that the index names, from the data root where it is relative."""
    return root / index.image_folder if index.image_folder is not None else None


def _same(source: Source, root: Path, folder: Path) -> Written | None:
    """What is there, if it was converted whole from the same files and knows their images."""
    try:
        index = read_index(folder)
    except UserError:
        return None
    paths = {name: folder / COLUMNS / f"{name}.npy" for name in index.columns}
    whole = all(
        p.is_file() and p.stat().st_size == index.columns[n].bytes for n, p in paths.items()
    )
    digests = [file.sha256 for file in index.sources.values()]
    copied = index.image_folder == _relative(folder / IMAGES, root)
    absent = _absent(source, root, index)
    known = not absent if copied else index.image_folder == _relative(source.images, root)
    told = source.annotations
    classed = index.columns.keys() >= OPTIONAL or told.segmentations.keys() - told.classes.keys()
    if whole and known and classed and digests == list(source.files.values()):
        return Written(folder, index, absent, anew=False)
    return None


def _write(
    source: Source,
    root: Path,
    folder: Path,
    shape: str,
    copy_images: bool,
    on_progress: OnProgress,
) -> Index:
    made = tables(source, on_progress)
    making = folder.with_name(f".{folder.name}.making")
    # Left by a process that was killed: the lock says that nobody is at work in it.
    _remove(making)
    try:
        (making / COLUMNS).mkdir(parents=True)
        inside = copy_images or callable(source.images)
        if inside:
            _write_images(source, making / IMAGES, on_progress)
        images = folder / IMAGES if inside else source.images
        index = _index(source, made, shape, _relative(images, root), _columns(made, making))
        (making / NAME).write_text(index.text(), encoding="utf-8")
        # Once for thousands of images: nothing is renamed before it is on the disk.
        os.sync()
        _replace(making, folder)
        return index
    finally:
        _remove(making)


def _replace(making: Path, folder: Path) -> None:
    before = folder.with_name(f".{folder.name}.before")
    _remove(before)
    if os.path.lexists(folder):
        folder.rename(before)
    making.rename(folder)
    _remove(before)


def _remove(path: Path) -> None:
    """Take a folder away; of a link only the link, never what it leads to."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _columns(made: Tables, making: Path) -> dict[str, FileOf]:
    found = {}
    for name, column in made.columns.items():
        path = making / COLUMNS / f"{name}.npy"
        np.save(path, column, allow_pickle=False)
        found[name] = FileOf(bytes=path.stat().st_size, sha256=file_digest(path))
    return found


def _index(
    source: Source, made: Tables, shape: str, images: str | None, columns: dict[str, FileOf]
) -> Index:
    # What may be missing tells nothing of expressions and masks.
    needed = {name: file for name, file in columns.items() if name not in OPTIONAL}
    content = "".join(f"{name} {file.sha256}\n" for name, file in needed.items())
    return Index(
        name=source.name,
        split_by=source.split_by,
        shape=shape,
        fingerprint=source.fingerprint or hashlib.sha256(content.encode()).hexdigest(),
        image_folder=images,
        splits={name: SplitOf(**split._asdict()) for name, split in made.splits.items()},
        categories=made.categories,
        needs=made.needs,
        sources={
            str(Path(path).absolute()): FileOf(bytes=Path(path).stat().st_size, sha256=digest)
            for path, digest in source.files.items()
        },
        notes=made.notes,
        columns=columns,
    )


def _write_images(source: Source, folder: Path, on_progress: OnProgress) -> None:
    entries = source.annotations.images
    names = [entry.file_name for entry in entries.values()]
    if len(set(names)) < len(names):
        raise damaged_source("two images have the same file name", source.files)
    for done, (image_id, entry) in enumerate(sorted(entries.items())):
        target = folder / entry.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        if callable(source.images):
            target.write_bytes(source.images(image_id))
        else:
            shutil.copyfile(_there(source.images, entry), target)
        if done % _TOLD_EVERY == 0:
            on_progress("writing images", done, len(entries))


def _there(folder: Path | None, entry: ImageEntry) -> Path:
    path = (folder or Path()) / entry.file_name
    if folder is not None and path.is_file():
        return path
    raise UserError(
        f"image '{entry.file_name}' is missing and cannot be copied",
        where=[f"looked for  {path.absolute()}" if folder else "no image folder was found"],
        fix=["add --images DIR: the folder of the images", "or leave --copy-images out"],
        exit_code=ExitCode.MISSING,
        slug="image_missing",
        path=str(path),
    )


def _relative(images: object, root: Path) -> str | None:
    if not isinstance(images, Path):
        return None
    path, base = images.absolute(), root.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _absent(source: Source, root: Path, index: Index) -> int | None:
    folder = image_folder(root, index)
    if folder is None:
        return None
    names = {entry.file_name for entry in source.annotations.images.values()}
    return len(Photographs(folder).absent(names))
